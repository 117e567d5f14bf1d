// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "usb/transfer.hpp"

namespace periplex::usb::device {

/// The four pipes, by their bPipeID in the Pipe Usage descriptor (UAS-3, "Pipe Usage descriptor").
enum class UasPipe : std::uint8_t { command = 1, status = 2, data_in = 3, data_out = 4 };

/// The streams of the status and data pipes on a link that has them: 2^5, numbered from 1 on. A tag is the number of
/// its stream, so that there are as many commands at once.
inline constexpr std::uint8_t kUasStreamExponent = 5;
inline constexpr std::uint16_t kUasStreams = 1u << kUasStreamExponent;

/// What the transport must know of the link it runs over.
struct UasLink {
  bool streams = false;           ///< SuperSpeed; without, the device announces whose data it moves
  std::uint16_t packet_size = 0;  ///< of the data pipes: a shorter packet ends a data stage

  /// The stream that serves `tag` on the status and data pipes.
  [[nodiscard]] std::uint16_t stream_of(std::uint16_t tag) const { return streams ? tag : std::uint16_t{0}; }
  /// Whether an answer for `tag` can be given at all.
  [[nodiscard]] bool serves(std::uint16_t tag) const { return !streams || (tag >= 1 && tag <= kUasStreams); }
};

/// The pipes, as far as the transport needs them.
class UasPipes {
 public:
  /// Takes the oldest transfer that waits at `pipe` for `stream`; null if there is none. It is to be given to `finish`.
  [[nodiscard]] virtual TransferPtr take(UasPipe pipe, std::uint16_t stream) = 0;
  virtual void finish(TransferPtr transfer, Completion completion) = 0;
  /// Halts the pipe: what waits and what comes is answered STALL until the host clears the condition.
  virtual void halt(UasPipe pipe) = 0;

 protected:
  ~UasPipes() = default;
};

}  // namespace periplex::usb::device

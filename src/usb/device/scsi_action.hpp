// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "usb/device/block_backend.hpp"
#include "usb/device/block_spans.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/sense.hpp"

namespace periplex::usb::device {

/// What a command does once its CDB is understood: a data stage, perhaps, and something to finish after it.
///
/// An action says what is needed next, one bounded request to the medium at a time; `ScsiTask` carries that out, at
/// once or over time. So an action never waits and never holds a claim, and a task can be stopped between any two
/// steps.
class ScsiAction {
 public:
  /// The next request to the medium; nothing when this part is over or `data` is used up.
  using Next = std::expected<std::optional<BlockRequest>, Sense>;

  virtual ~ScsiAction() = default;

  [[nodiscard]] virtual DataStage data_stage() const { return {}; }
  /// Moves what needs no medium between the command and `data`, and says what else must happen.
  [[nodiscard]] virtual Next move(SpanCursor& data) {
    (void)data;
    return std::nullopt;
  }
  /// Whatever must happen after the data stage and before status.
  [[nodiscard]] virtual Next finish() { return std::nullopt; }
  /// The last request has been carried out.
  virtual void carried_out(SpanCursor& data) { (void)data; }
  /// The last request has failed; its first `bytes` bytes were moved.
  virtual void failed_after(std::uint64_t bytes, SpanCursor& data) { (void)bytes, (void)data; }
};

using ScsiActionPtr = std::unique_ptr<ScsiAction>;
/// A null action: there is nothing to do, the command is done well.
using Decoded = std::expected<ScsiActionPtr, Sense>;

/// Gives the host bytes that are known already, at most as many as it allocated room for (SPC-4, "ALLOCATION LENGTH
/// field").
[[nodiscard]] ScsiActionPtr reply(Bytes data, std::uint64_t allocation_length);

/// Takes a parameter list of exactly `length` bytes from the host, then does what `evaluate` makes of it.
[[nodiscard]] ScsiActionPtr with_parameters(std::size_t length, std::function<Decoded(ByteView)> evaluate);

/// Makes all completed writes durable.
[[nodiscard]] ScsiActionPtr flush();
/// Makes all completed writes durable, then calls `then`.
[[nodiscard]] ScsiActionPtr flush_then(std::function<void()> then);

}  // namespace periplex::usb::device

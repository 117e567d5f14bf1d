// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

/// Sound as bytes: linear PCM, 16 bits, two channels, little-endian, left before right. A *frame* is one sample of each
/// channel. Nothing here ever waits: a sink that is full takes less, a source that is empty gives less.
namespace periplex::usb::device {

inline constexpr unsigned kPcmChannels = 2;
inline constexpr unsigned kPcmSampleBytes = 2;
inline constexpr unsigned kPcmFrameBytes = kPcmChannels * kPcmSampleBytes;

/// Frames in a second.
inline constexpr std::uint32_t kPcmMinRate = 8000;
inline constexpr std::uint32_t kPcmMaxRate = 192000;
inline constexpr std::uint32_t kPcmDefaultRate = 48000;

/// Where the guest's sound goes.
class PcmSink {
 public:
  virtual ~PcmSink() = default;
  /// The guest begins to play at `rate`, or plays on at another one.
  virtual void begin(std::uint32_t rate) = 0;
  /// Takes whole frames; returns how many bytes it took, from the start. The rest is lost, and the caller counts it.
  [[nodiscard]] virtual std::size_t write(ByteView frames) = 0;
  /// The guest has stopped playing. It may begin again.
  virtual void end() = 0;
  /// Bytes that it took and could not bring to where they were to go.
  [[nodiscard]] virtual std::uint64_t lost() const { return 0; }
};

/// Where the sound that the guest records comes from.
class PcmSource {
 public:
  virtual ~PcmSource() = default;
  /// The one rate its sound has, if it knows.
  [[nodiscard]] virtual std::optional<std::uint32_t> rate() const { return std::nullopt; }
  /// The guest begins to record at `rate`, or records on at another one.
  virtual void begin(std::uint32_t rate) = 0;
  /// Fills `room` with whole frames from its start; returns how many bytes. The caller puts silence for the rest.
  [[nodiscard]] virtual std::size_t read(MutableByteView room) = 0;
  /// The guest has stopped recording. What it has not got waits for the next time.
  virtual void end() = 0;
};

}  // namespace periplex::usb::device

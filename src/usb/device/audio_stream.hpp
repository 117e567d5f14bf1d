// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/device/audio_controls.hpp"
#include "usb/device/audio_pcm.hpp"

namespace periplex::usb::device {

/// What a stream has done since it was plugged in.
struct AudioCounters {
  std::uint64_t packets = 0;     ///< intervals that were served
  std::uint64_t frames = 0;      ///< played: that the sink took; captured: that the source gave
  std::uint64_t silent = 0;      ///< frames of silence that the guest got because the source had none
  std::uint64_t overflowed = 0;  ///< frames that were lost because the sink was full or broken
  std::uint64_t malformed = 0;   ///< bytes that were no whole frame, and were dropped
};

/// The guest's sound on its way to a sink.
class AudioPlayback {
 public:
  /// `settings` must outlive it.
  AudioPlayback(std::unique_ptr<PcmSink> sink, const AudioSettings& settings);
  AudioPlayback(const AudioPlayback&) = delete;
  AudioPlayback& operator=(const AudioPlayback&) = delete;
  ~AudioPlayback() { close(); }

  /// What one packet has brought. The sink hears of the stream with the first frame of it.
  void take(ByteView packet);
  /// The guest has closed the stream.
  void close();
  [[nodiscard]] AudioCounters counters() const;

 private:
  const std::unique_ptr<PcmSink> sink_;
  const AudioSettings& settings_;
  std::uint32_t rate_ = 0;  // that the sink knows; 0: it has not begun
  Bytes scaled_;
  AudioCounters counters_;
};

/// Sound from a source on its way to the guest.
///
/// How many frames a packet gets follows from how many packets there were: with 44,100 frames a second and an interval
/// of 1 ms nine times 44 and once 45.
class AudioCapture {
 public:
  /// `settings` must outlive it.
  AudioCapture(std::unique_ptr<PcmSource> source, const AudioSettings& settings, Microseconds interval);
  AudioCapture(const AudioCapture&) = delete;
  AudioCapture& operator=(const AudioCapture&) = delete;
  ~AudioCapture() { close(); }

  /// Fills `packet` with the frames of one interval and returns how many bytes. What a packet has no room for stays
  /// where it is, and comes later.
  [[nodiscard]] std::size_t fill(MutableByteView packet);
  void close();
  [[nodiscard]] const AudioCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] std::size_t frames_due();

  const std::unique_ptr<PcmSource> source_;
  const AudioSettings& settings_;
  const std::uint64_t interval_;  // in µs
  std::uint32_t rate_ = 0;        // that the source knows; 0: it has not begun
  std::uint64_t phase_ = 0;       // what is due and not a whole frame, in millionths
  AudioCounters counters_;
};

}  // namespace periplex::usb::device

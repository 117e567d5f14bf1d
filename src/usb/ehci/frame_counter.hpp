// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace periplex::usb::ehci {

inline constexpr Nanoseconds kMicroframe = std::chrono::microseconds(125);
inline constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);
inline constexpr std::uint64_t kMicroframesPerFrame = 8;

/// Counts microframes while the controller runs, read from the clock when asked for. The count never goes back; FRINDEX
/// (EHCI 1.0 §2.3.4) is its low 14 bits.
class FrameCounter {
 public:
  explicit FrameCounter(const Clock& clock) : clock_(clock) {}

  void start();
  void stop();
  [[nodiscard]] std::uint64_t microframe() const;
  [[nodiscard]] std::uint64_t frame() const { return microframe() / kMicroframesPerFrame; }
  /// How long until the next frame begins, while running.
  [[nodiscard]] Nanoseconds until_next_frame() const;

  [[nodiscard]] static std::uint64_t index(std::uint64_t microframe) { return microframe % kIndices; }
  /// Time stood still: no frame after `frame` has begun. The one way in which the count goes back; nobody has been told
  /// of the frames that it takes away.
  void hold_back(std::uint64_t frame);
  /// FRINDEX was written: the count goes on to where its low bits are these.
  void set_index(std::uint64_t index);

 private:
  static constexpr std::uint64_t kIndices = 1u << 14;

  [[nodiscard]] Nanoseconds elapsed() const { return counted_ + (running_ ? clock_.now() - started_ : Nanoseconds(0)); }

  const Clock& clock_;
  bool running_ = false;
  Nanoseconds started_{};                         // while running
  Nanoseconds counted_ = kIndices * kMicroframe;  // in earlier runs; there is always a frame before the present one
};

}  // namespace periplex::usb::ehci

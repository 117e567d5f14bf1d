// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace periplex::usb::device {

/// What a feature unit does to the sound: mute, and attenuation from 0 to 60 dB in steps of 1 dB.
///
/// Volumes are as on the wire: 1/256 dB, 0 is as loud as it comes (USB Audio 1.0 §5.2.2.4.3.2, USB Audio 2.0
/// §5.2.5.7.2). At 0 dB every sample passes unchanged.
class AudioVolume {
 public:
  static constexpr std::int16_t kMin = -60 * 256;
  static constexpr std::int16_t kMax = 0;
  static constexpr std::int16_t kResolution = 256;

  [[nodiscard]] bool muted() const { return muted_; }
  void set_muted(bool muted) { muted_ = muted; }
  [[nodiscard]] std::int16_t volume() const { return volume_; }
  /// Sets the step nearest to `volume`.
  void set_volume(std::int16_t volume);
  [[nodiscard]] double decibels() const { return volume_ / 256.0; }

  /// Whether `apply` would leave everything as it is.
  [[nodiscard]] bool is_transparent() const { return !muted_ && volume_ == kMax; }
  /// `pcm` are whole 16-bit samples.
  void apply(MutableByteView pcm) const;

 private:
  static constexpr std::int32_t kUnity = 1 << 16;

  bool muted_ = false;
  std::int16_t volume_ = kMax;
  std::int32_t gain_ = kUnity;
};

}  // namespace periplex::usb::device

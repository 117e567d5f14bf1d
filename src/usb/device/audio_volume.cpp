// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_volume.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace periplex::usb::device {

void AudioVolume::set_volume(std::int16_t volume) {
  const int clamped = std::clamp<int>(volume, kMin, kMax);
  volume_ = static_cast<std::int16_t>((clamped - kResolution / 2) / kResolution * kResolution);
  gain_ = static_cast<std::int32_t>(std::lround(kUnity * std::pow(10.0, decibels() / 20)));
}

void AudioVolume::apply(MutableByteView pcm) const {
  if (is_transparent()) return;
  if (muted_) {
    std::ranges::fill(pcm, std::byte{0});
    return;
  }
  for (std::size_t at = 0; at + sizeof(std::int16_t) <= pcm.size(); at += sizeof(std::int16_t)) {
    std::int16_t sample;
    std::memcpy(&sample, pcm.data() + at, sizeof sample);
    sample = static_cast<std::int16_t>((sample * gain_ + kUnity / 2) >> 16);
    std::memcpy(pcm.data() + at, &sample, sizeof sample);
  }
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_controls.hpp"

#include <algorithm>

namespace periplex::usb::device {

AudioControls::AudioControls(const AudioFunction& function) : function_(function) {
  reset();
}

void AudioControls::reset() {
  const AudioSettings initial{.rate = function_.rates.front(), .volume = {}};
  if (function_.playback) playback_ = initial;
  if (function_.capture) capture_ = initial;
}

AudioSettings* AudioControls::of_feature_unit(std::uint8_t entity) {
  const auto unit = static_cast<AudioEntity>(entity);
  if (unit == AudioEntity::playback_feature && playback_) return &*playback_;
  if (unit == AudioEntity::capture_feature && capture_) return &*capture_;
  return nullptr;
}

bool AudioControls::has_rate(std::uint32_t rate) const {
  return std::ranges::find(function_.rates, rate) != function_.rates.end();
}

std::uint32_t AudioControls::nearest_rate(std::uint32_t wanted) const {
  const auto distance = [wanted](std::uint32_t rate) { return rate > wanted ? rate - wanted : wanted - rate; };
  return *std::ranges::min_element(function_.rates, {}, distance);
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_descriptors.hpp"

#include <algorithm>

#include "usb/device/audio_pcm.hpp"

namespace periplex::usb::device {

void add_audio_streaming(std::vector<InterfaceDescription>& interfaces, const AudioStreaming& streaming) {
  InterfaceDescription idle{.number = streaming.interface,
                            .interface_class = kAudioClass,
                            .interface_subclass = kAudioStreamingSubclass,
                            .interface_protocol = streaming.protocol};
  InterfaceDescription active = idle;
  active.alternate_setting = 1;
  active.class_descriptors = streaming.class_descriptors;
  active.endpoints = {streaming.endpoint};
  interfaces.push_back(std::move(idle));
  interfaces.push_back(std::move(active));
}

EndpointDescription audio_endpoint(const AudioFunction& function, Direction direction) {
  constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;
  const std::uint64_t rate = *std::ranges::max_element(function.rates);
  const std::uint64_t frames = rate * static_cast<std::uint64_t>(function.interval.count()) / kMicrosecondsPerSecond;
  // Packets of a stream differ by one frame at most, so the average is exceeded by no more than one (Audio Data Formats
  // 2.0 §2.3.1.1).
  return {
      .address = direction == Direction::in ? kAudioIn : kAudioOut,
      .type = TransferType::isochronous,
      .payload = static_cast<std::uint16_t>((frames + 1) * kPcmFrameBytes),
      .interval = function.interval,
      .synchronization = direction == Direction::in ? Synchronization::synchronous : Synchronization::adaptive,
  };
}

}  // namespace periplex::usb::device

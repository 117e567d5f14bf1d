// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "usb/device/audio_entities.hpp"
#include "usb/device/device_description.hpp"

namespace periplex::usb::device {

/// The interfaces of a sound device of USB Audio Device Class 1.0.
[[nodiscard]] std::vector<InterfaceDescription> audio1_interfaces(const AudioFunction& function);
/// Those of USB Audio Device Class 2.0, and the association that it demands (§4.6).
[[nodiscard]] std::vector<InterfaceDescription> audio2_interfaces(const AudioFunction& function);
[[nodiscard]] AssociationDescription audio2_association(const AudioFunction& function);

/// Of both versions: an interface for one direction, without bandwidth in setting 0.
struct AudioStreaming {
  std::uint8_t interface = 0;
  std::uint8_t protocol = 0;
  Bytes class_descriptors;  ///< of alternate setting 1
  EndpointDescription endpoint;
};
void add_audio_streaming(std::vector<InterfaceDescription>& interfaces, const AudioStreaming& streaming);
/// The isochronous endpoint of a direction, without what its class adds. The device follows the frames of the host
/// (synchronous) where it sends; where it receives it takes what comes (adaptive). Neither needs feedback.
[[nodiscard]] EndpointDescription audio_endpoint(const AudioFunction& function, Direction direction);

}  // namespace periplex::usb::device

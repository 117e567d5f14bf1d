// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/descriptors.hpp"
#include "usb/speed.hpp"

/// Descriptors of a device that runs at one speed, as its guest must see them at a slower one (row A6).
///
/// It is the configuration that the device really runs which is translated, not its other-speed configuration: that may
/// be of another class version, and the device would not understand the requests for it.
namespace periplex::usb {

/// Changes a device descriptor, or the beginning of one, in place: bcdUSB and bMaxPacketSize0.
void translate_device(MutableByteView descriptor, Speed to);

/// A whole configuration at speed `to`: packet sizes, intervals, no SuperSpeed companions, no alternate settings that
/// need streams. What cannot be parsed is given back as it is.
[[nodiscard]] Bytes translate_configuration(ByteView configuration, Speed from, Speed to);

/// The largest packet of an endpoint, in bytes, without what high-bandwidth endpoints send besides (USB 2.0 table
/// 9-13).
[[nodiscard]] constexpr std::uint32_t packet_size(const EndpointDescriptor& endpoint) {
  return endpoint.max_packet_size & 0x7ffu;
}

}  // namespace periplex::usb

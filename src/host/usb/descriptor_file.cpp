// SPDX-License-Identifier: Apache-2.0
#include "host/usb/description.hpp"

namespace periplex::host {
namespace {

constexpr std::size_t kTotalLengthOffset = 2;

/// The bytes from a configuration descriptor to the next one, or to the end, or to what is broken.
std::size_t extent_of_configuration(ByteView bytes) {
  ByteView rest = bytes;
  bool first = true;
  while (!rest.empty()) {
    ByteView after = rest;
    const auto view = usb::take_descriptor(after);
    if (!view || (!first && view->is(usb::DescriptorType::configuration))) break;
    first = false;
    rest = after;
  }
  return bytes.size() - rest.size();
}

}  // namespace

std::expected<UsbDescriptors, usb::DescriptorError> parse_descriptor_file(ByteView bytes) {
  const auto device = usb::parse_device(bytes);
  if (!device) return std::unexpected(device.error());
  UsbDescriptors all{*device, {}};
  ByteView rest = bytes;
  (void)usb::take_descriptor(rest);
  while (!rest.empty()) {
    const std::size_t extent = extent_of_configuration(rest);
    if (extent < usb::ConfigurationDescriptor::kSize || extent > 0xffff) break;
    Bytes one(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(extent));
    one[kTotalLengthOffset] = static_cast<std::byte>(extent & 0xff);
    one[kTotalLengthOffset + 1] = static_cast<std::byte>(extent >> 8);
    auto configuration = usb::parse_configuration(one);
    if (!configuration) break;
    all.configurations.push_back(std::move(*configuration));
    rest = rest.subspan(extent);
  }
  return all;
}

}  // namespace periplex::host

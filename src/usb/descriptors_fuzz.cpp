// SPDX-License-Identifier: Apache-2.0
// Descriptors of strangers: any bytes are parsed or refused, and what was parsed can be looked at.
#include <cstdint>
#include <cstdlib>

#include "base/check.hpp"
#include "usb/descriptors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  const ByteView bytes = std::as_bytes(std::span(data, size));

  std::size_t seen = 0;
  const auto whole =
      usb::for_each_descriptor(bytes, [&](const usb::DescriptorView& view) { seen += view.bytes.size(); });
  PERIPLEX_CHECK(seen <= size && (!whole || seen == size));

  if (const auto configuration = usb::parse_configuration(bytes)) {
    for (const auto& interface : configuration->interfaces) {
      PERIPLEX_CHECK(interface.class_descriptors.size() <= size);
      for (const auto& endpoint : interface.endpoints) (void)configuration->find_endpoint(endpoint.descriptor.address);
    }
  }

  if (const auto device = usb::parse_device(bytes)) {
    ByteWriter again;
    usb::encode(again, *device);
    PERIPLEX_CHECK(usb::parse_device(again.view()) == device);
  }
  const Bytes text = usb::encode_string(as_text(bytes));
  PERIPLEX_CHECK(text.size() <= 254 && text.size() % 2 == 0 && std::to_integer<std::size_t>(text[0]) == text.size());
  return 0;
}

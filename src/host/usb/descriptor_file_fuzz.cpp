// SPDX-License-Identifier: Apache-2.0
// The kernel's file of a stranger's descriptors: any bytes are read or refused, in bounded memory.
#include <cstdint>

#include "base/check.hpp"
#include "host/usb/active_interfaces.hpp"
#include "host/usb/description.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  const auto parsed = host::parse_descriptor_file(std::as_bytes(std::span(data, size)));
  if (!parsed) return 0;
  PERIPLEX_CHECK(parsed->configurations.size() * usb::ConfigurationDescriptor::kSize <= size);
  host::ActiveInterfaces active(*parsed, 1);
  for (unsigned value = 0; value < 256; ++value) {
    if (!active.choose_configuration(static_cast<std::uint8_t>(value))) continue;
    for (const std::uint8_t interface : active.interfaces()) {
      (void)active.choose_alternate(interface, static_cast<std::uint8_t>(value));
      (void)active.stream_endpoints(interface);
      for (const auto address : active.endpoints(interface)) PERIPLEX_CHECK(active.find(address).has_value());
    }
  }
  return 0;
}

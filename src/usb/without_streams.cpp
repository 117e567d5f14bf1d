// SPDX-License-Identifier: Apache-2.0
#include "usb/without_streams.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace periplex::usb {
namespace {

constexpr std::size_t kTotalLength = 2;  // offset in a configuration descriptor
constexpr std::size_t kNumber = 2;       // offsets in an interface descriptor
constexpr std::size_t kAlternateSetting = 3;
constexpr std::size_t kAttributes = 3;  // offset in an endpoint or a SuperSpeed companion descriptor
constexpr std::byte kTransferType{3};   // bmAttributes of an endpoint, USB 2.0 table 9-13
constexpr std::byte kMaxStreams{0x1f};  // bmAttributes of a bulk endpoint's companion, USB 3.2 table 9-28

using Setting = std::pair<std::uint8_t, std::uint8_t>;  // interface, alternate setting

bool has_streams(const ParsedInterface& interface) {
  return std::ranges::any_of(interface.endpoints, [](const ParsedEndpoint& endpoint) {
    return endpoint.descriptor.type() == TransferType::bulk && endpoint.companion &&
           (endpoint.companion->attributes & std::to_integer<std::uint8_t>(kMaxStreams)) != 0;
  });
}

/// Takes descriptors one after the other, and keeps those that may stay.
class Filter {
 public:
  explicit Filter(std::set<Setting> left_out) : left_out_(std::move(left_out)) {}

  void operator()(const DescriptorView& descriptor) {
    const ByteView bytes = descriptor.bytes;
    if (descriptor.is(DescriptorType::interface) && bytes.size() > kAlternateSetting) {
      skips_ = left_out_.contains(
          {std::to_integer<std::uint8_t>(bytes[kNumber]), std::to_integer<std::uint8_t>(bytes[kAlternateSetting])});
    }
    if (descriptor.is(DescriptorType::endpoint) && bytes.size() > kAttributes) {
      bulk_ = static_cast<TransferType>(bytes[kAttributes] & kTransferType) == TransferType::bulk;
    }
    if (skips_) return;
    const std::size_t start = out.size();
    out.insert(out.end(), bytes.begin(), bytes.end());
    if (descriptor.is(DescriptorType::superspeed_endpoint_companion) && bulk_ && bytes.size() > kAttributes) {
      out[start + kAttributes] &= ~kMaxStreams;
    }
  }

  Bytes out;

 private:
  std::set<Setting> left_out_;
  bool skips_ = false;
  bool bulk_ = false;
};

}  // namespace

Bytes without_streams(ByteView configuration) {
  const auto parsed = parse_configuration(configuration);
  if (!parsed) return {configuration.begin(), configuration.end()};
  std::set<Setting> left_out;
  for (const ParsedInterface& interface : parsed->interfaces) {
    const InterfaceDescriptor& descriptor = interface.descriptor;
    if (descriptor.alternate_setting != 0 && has_streams(interface)) {
      left_out.insert({descriptor.number, descriptor.alternate_setting});
    }
  }
  Filter filter(std::move(left_out));
  const ByteView whole =
      configuration.first(std::min<std::size_t>(configuration.size(), parsed->descriptor.total_length));
  const auto visit = [&filter](const DescriptorView& descriptor) { filter(descriptor); };
  if (!for_each_descriptor(whole, visit)) return {configuration.begin(), configuration.end()};
  filter.out[kTotalLength] = static_cast<std::byte>(filter.out.size() & 0xff);
  filter.out[kTotalLength + 1] = static_cast<std::byte>(filter.out.size() >> 8);
  return std::move(filter.out);
}

bool needs_streams(const ParsedConfiguration& configuration) {
  return std::ranges::any_of(configuration.interfaces, [](const ParsedInterface& interface) {
    return interface.descriptor.alternate_setting == 0 && has_streams(interface);
  });
}

}  // namespace periplex::usb

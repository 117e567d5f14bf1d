// SPDX-License-Identifier: Apache-2.0
#include "usb/speed_translation.hpp"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

namespace periplex::usb {
namespace {

constexpr std::uint16_t kUsb20 = 0x0200;
constexpr std::size_t kBcdUsb = 2;  // offsets in a device descriptor
constexpr std::size_t kMaxPacketSize0 = 7;
constexpr std::uint8_t kControlPacket = 64;

constexpr std::size_t kTotalLength = 2;  // offsets in a configuration descriptor
constexpr std::size_t kMaxPower = 8;
constexpr unsigned kMostPower = 250;  // of 2 mA

constexpr std::uint8_t kSuperSpeedPlusIsochCompanion = 49;  // USB 3.2 table 9-6
constexpr std::uint8_t kMaxStreams = 0x1f;                  // bmAttributes of a bulk endpoint's companion, table 9-28

constexpr unsigned kMicroframesPerFrame = 8;
constexpr unsigned kMostExponent = 16;

/// The largest packet at `speed` (USB 2.0 §5.5.3, §5.6.3, §5.7.3, §5.8.3).
std::uint32_t largest_packet(TransferType type, Speed speed) {
  const bool high = speed == Speed::high;
  switch (type) {
    case TransferType::control:
      return kControlPacket;
    case TransferType::bulk:
      return high ? 512 : 64;
    case TransferType::interrupt:
      return high ? 1024 : 64;
    case TransferType::isochronous:
      return high ? 1024 : 1023;
  }
  return kControlPacket;
}

/// bInterval of a periodic endpoint whose interval is 2^(n-1) microframes, at full speed (USB 2.0 table 9-13).
std::uint8_t full_speed_interval(TransferType type, std::uint8_t exponent) {
  const unsigned microframes = 1u << (std::clamp<unsigned>(exponent, 1, kMostExponent) - 1);
  const unsigned frames = std::clamp(microframes / kMicroframesPerFrame, 1u, 255u);
  // Isochronous endpoints count in powers of two of frames, interrupt endpoints in frames.
  return static_cast<std::uint8_t>(type == TransferType::isochronous ? std::bit_width(frames) : frames);
}

EndpointDescriptor translate(EndpointDescriptor endpoint, Speed to) {
  const TransferType type = endpoint.type();
  const std::uint32_t largest = largest_packet(type, to);
  const bool fixed = type == TransferType::bulk || type == TransferType::control;
  if (fixed || packet_size(endpoint) > largest || to == Speed::full) {
    endpoint.max_packet_size = static_cast<std::uint16_t>(fixed ? largest : std::min(packet_size(endpoint), largest));
  }
  if (fixed) {
    endpoint.interval = 0;
  } else if (to == Speed::full) {
    endpoint.interval = full_speed_interval(type, endpoint.interval);
  }
  return endpoint;
}

using Setting = std::pair<std::uint8_t, std::uint8_t>;  // interface, alternate setting

std::set<Setting> settings_with_streams(const ParsedConfiguration& configuration) {
  std::set<Setting> settings;
  for (const ParsedInterface& interface : configuration.interfaces) {
    for (const ParsedEndpoint& endpoint : interface.endpoints) {
      const bool streams = endpoint.descriptor.type() == TransferType::bulk && endpoint.companion &&
                           (endpoint.companion->attributes & kMaxStreams) != 0;
      if (streams) settings.insert({interface.descriptor.number, interface.descriptor.alternate_setting});
    }
  }
  return settings;
}

}  // namespace

void translate_device(MutableByteView descriptor, Speed to) {
  const auto set = [&](std::size_t offset, unsigned value) {
    if (offset < descriptor.size()) descriptor[offset] = static_cast<std::byte>(value & 0xff);
  };
  set(kBcdUsb, kUsb20);
  set(kBcdUsb + 1, kUsb20 >> 8);
  if (to == Speed::full || to == Speed::high) set(kMaxPacketSize0, kControlPacket);
}

Bytes translate_configuration(ByteView configuration, Speed from, Speed to) {
  const auto parsed = parse_configuration(configuration);
  if (!parsed) return {configuration.begin(), configuration.end()};
  const std::set<Setting> left_out = settings_with_streams(*parsed);
  Bytes out;
  bool skips = false;
  const auto add = [&](const DescriptorView& descriptor) {
    if (descriptor.is(DescriptorType::interface) && descriptor.bytes.size() >= 4) {
      skips = left_out.contains(
          {std::to_integer<std::uint8_t>(descriptor.bytes[2]), std::to_integer<std::uint8_t>(descriptor.bytes[3])});
    }
    if (skips || descriptor.is(DescriptorType::superspeed_endpoint_companion) ||
        descriptor.type == kSuperSpeedPlusIsochCompanion) {
      return;
    }
    const std::size_t start = out.size();
    out.insert(out.end(), descriptor.bytes.begin(), descriptor.bytes.end());
    const auto endpoint = descriptor.is(DescriptorType::endpoint) ? parse_endpoint(descriptor.bytes)
                                                                  : std::unexpected(DescriptorError::wrong_type);
    if (!endpoint) return;
    const EndpointDescriptor translated = translate(*endpoint, to);
    out[start + 4] = static_cast<std::byte>(translated.max_packet_size & 0xff);
    out[start + 5] = static_cast<std::byte>(translated.max_packet_size >> 8);
    out[start + 6] = static_cast<std::byte>(translated.interval);
  };
  const ByteView whole =
      configuration.first(std::min<std::size_t>(configuration.size(), parsed->descriptor.total_length));
  if (!for_each_descriptor(whole, add)) return {configuration.begin(), configuration.end()};
  out[kTotalLength] = static_cast<std::byte>(out.size() & 0xff);
  out[kTotalLength + 1] = static_cast<std::byte>(out.size() >> 8);
  if (is_usb3(from)) out[kMaxPower] = static_cast<std::byte>(std::min(parsed->descriptor.max_power * 4u, kMostPower));
  return out;
}

}  // namespace periplex::usb

// SPDX-License-Identifier: Apache-2.0
#include "storage/command.hpp"

namespace periplex::storage {
namespace {

constexpr std::uint8_t kResponseCode = 0x7f;
constexpr std::uint8_t kDescriptorFormat = 0x02;  // 72h, 73h
constexpr std::uint8_t kDeferred = 0x01;          // 71h, 73h

std::uint8_t at(ByteView bytes, std::size_t index) {
  return index < bytes.size() ? std::to_integer<std::uint8_t>(bytes[index]) : std::uint8_t{0};
}

}  // namespace

SenseSummary summarize_sense(ByteView sense) {
  const std::uint8_t code = at(sense, 0) & kResponseCode;
  if (code < 0x70 || code > 0x73) return {};
  const bool deferred = (code & kDeferred) != 0;
  if ((code & kDescriptorFormat) != 0) {
    return {static_cast<std::uint8_t>(at(sense, 1) & 0x0f), at(sense, 2), at(sense, 3), deferred};
  }
  return {static_cast<std::uint8_t>(at(sense, 2) & 0x0f), at(sense, 12), at(sense, 13), deferred};
}

Bytes as_deferred(Bytes sense) {
  if (sense.empty()) sense = usb::device::sense::write_error(std::nullopt).fixed_format();
  sense[0] |= std::byte{kDeferred};
  return sense;
}

}  // namespace periplex::storage

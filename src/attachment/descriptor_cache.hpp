// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "attachment/messages.hpp"
#include "usb/setup_packet.hpp"

namespace periplex::attachment {

/// A peripheral's answers to GET_DESCRIPTOR, recipient device (USB 2.0 §9.4.3): they depend on nothing that a guest
/// sets, so that none of them needs a round trip. A port reset may change them (a device with new firmware): then
/// nothing is known until the agent has looked.
class DescriptorCache {
 public:
  void describe(const Describe& description) {
    known_.clear();
    for (const KnownDescriptor& each : description.descriptors) known_[{each.value, each.index}] = each.bytes;
  }
  void forget() { known_.clear(); }

  /// What the device would answer to `setup`: bytes, or nothing inside for STALL. Empty if it has to be asked.
  [[nodiscard]] std::optional<std::optional<ByteView>> find(const usb::SetupPacket& setup) const {
    constexpr std::uint8_t kFromDevice = 0x80;
    if (!setup.is(usb::StandardRequest::get_descriptor, kFromDevice)) return std::nullopt;
    const auto found = known_.find({setup.value, setup.index});
    if (found == known_.end()) return std::nullopt;
    if (!found->second) return std::optional<ByteView>();
    return ByteView(*found->second);
  }

 private:
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::optional<Bytes>> known_;
};

}  // namespace periplex::attachment

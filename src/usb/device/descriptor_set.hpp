// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "usb/descriptors.hpp"
#include "usb/device/device_description.hpp"
#include "usb/speed.hpp"

namespace periplex::usb::device {

/// The packets of a bulk endpoint at `speed`, in bytes (USB 2.0 §5.8.3, USB 3.2 §9.6.6).
[[nodiscard]] std::uint16_t bulk_packet(Speed speed);

/// All standard descriptors of a device at one speed, encoded once.
class DescriptorSet {
 public:
  /// `description` must be one that `runs_at(speed)`.
  DescriptorSet(const DeviceDescription& description, Speed speed);

  /// The descriptor that GET_DESCRIPTOR with `wValue` asks for; empty if there is none at this speed, which is a
  /// Request Error. Strings are given in whatever language is asked for.
  [[nodiscard]] std::optional<ByteView> find(std::uint16_t value) const;

 private:
  void add(DescriptorType type, std::uint8_t index, Bytes bytes);
  /// The index of `text` among the strings, which it is added to; 0 for none.
  std::uint8_t string_index(const std::string& text);

  [[nodiscard]] Bytes device(const DeviceDescription& description, Speed speed);
  [[nodiscard]] Bytes configuration(const DeviceDescription& description, Speed speed, DescriptorType type);
  void association(ByteWriter& out, const AssociationDescription& description);
  void interface(ByteWriter& out, const InterfaceDescription& description, Speed speed);

  std::map<std::uint16_t, Bytes> by_value_;
  std::vector<std::string> strings_;
};

}  // namespace periplex::usb::device

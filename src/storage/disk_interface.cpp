// SPDX-License-Identifier: Apache-2.0
#include "storage/disk_interface.hpp"

#include <algorithm>
#include <vector>

namespace periplex::storage {
namespace {

constexpr std::uint8_t kMassStorage = 0x08;
constexpr std::uint8_t kBulkOnly = 0x50;
constexpr std::uint8_t kUsbAttachedScsi = 0x62;
// bInterfaceSubClass (Mass Storage Class Overview 1.4, table 1): the command sets that are SCSI.
constexpr std::uint8_t kMmc5 = 0x02;
constexpr std::uint8_t kSff8070i = 0x05;
constexpr std::uint8_t kScsiTransparent = 0x06;
constexpr std::uint8_t kPipeUsage = 0x24;
constexpr std::uint16_t kMaxStreams = 32;

DiskInterface describe(const usb::ParsedConfiguration& configuration, const usb::InterfaceDescriptor& interface) {
  const auto alternates = std::ranges::count(configuration.interfaces, interface.number,
                                             [](const usb::ParsedInterface& each) { return each.descriptor.number; });
  return {.configuration = configuration.descriptor.value,
          .number = interface.number,
          .alternate_setting = interface.alternate_setting,
          .has_alternates = alternates > 1};
}

std::optional<DiskInterface> bulk_only(const usb::ParsedConfiguration& configuration, const usb::ParsedInterface& of) {
  const std::uint8_t subclass = of.descriptor.interface_subclass;
  if (of.descriptor.interface_protocol != kBulkOnly) return std::nullopt;
  if (subclass != kScsiTransparent && subclass != kSff8070i && subclass != kMmc5) return std::nullopt;
  DiskInterface found = describe(configuration, of.descriptor);
  for (const usb::ParsedEndpoint& endpoint : of.endpoints) {
    if (endpoint.descriptor.type() != usb::TransferType::bulk) continue;
    const usb::EndpointAddress address = endpoint.descriptor.address;
    (address.direction() == usb::Direction::in ? found.data_in : found.data_out) = address;
  }
  if (found.data_in.number() == 0 || found.data_out.number() == 0) return std::nullopt;
  return found;
}

/// bPipeID of the interface's endpoints in their order: a Pipe Usage descriptor stands behind each (UAS-3).
std::vector<std::uint8_t> pipe_ids(const usb::ParsedInterface& interface) {
  std::vector<std::uint8_t> ids;
  (void)usb::for_each_descriptor(interface.class_descriptors, [&ids](const usb::DescriptorView& view) {
    if (view.type == kPipeUsage && view.bytes.size() >= 3) ids.push_back(std::to_integer<std::uint8_t>(view.bytes[2]));
  });
  return ids;
}

std::uint16_t streams_of(const usb::ParsedEndpoint& endpoint) {
  if (!endpoint.companion) return 0;
  const unsigned exponent = endpoint.companion->attributes & 0x1f;  // MaxStreams (USB 3.2 table 9-28)
  if (exponent == 0) return 0;
  return exponent < 5 ? static_cast<std::uint16_t>(1u << exponent) : kMaxStreams;
}

std::optional<DiskInterface> attached_scsi(const usb::ParsedConfiguration& configuration,
                                           const usb::ParsedInterface& of) {
  if (of.descriptor.interface_subclass != kScsiTransparent) return std::nullopt;
  if (of.descriptor.interface_protocol != kUsbAttachedScsi) return std::nullopt;
  const std::vector<std::uint8_t> ids = pipe_ids(of);
  if (ids.size() != of.endpoints.size()) return std::nullopt;
  DiskInterface found = describe(configuration, of.descriptor);
  found.attached_scsi = true;
  found.streams = kMaxStreams;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const usb::EndpointAddress address = of.endpoints[i].descriptor.address;
    if (of.endpoints[i].descriptor.type() != usb::TransferType::bulk) return std::nullopt;
    const auto pipe = static_cast<usb::device::UasPipe>(ids[i]);
    if (pipe == usb::device::UasPipe::command) found.command = address;
    if (pipe == usb::device::UasPipe::status) found.status = address;
    if (pipe == usb::device::UasPipe::data_in) found.data_in = address;
    if (pipe == usb::device::UasPipe::data_out) found.data_out = address;
    if (pipe != usb::device::UasPipe::command) found.streams = std::min(found.streams, streams_of(of.endpoints[i]));
  }
  const bool right = found.command.number() != 0 && found.command.direction() == usb::Direction::out &&
                     found.status.direction() == usb::Direction::in &&
                     found.data_in.direction() == usb::Direction::in && found.data_out.number() != 0 &&
                     found.data_out.direction() == usb::Direction::out;
  return right ? std::optional(found) : std::nullopt;
}

}  // namespace

std::optional<DiskInterface> find_disk(const usb::ParsedConfiguration& configuration, bool uas_allowed) {
  std::optional<DiskInterface> best;
  for (const usb::ParsedInterface& interface : configuration.interfaces) {
    if (interface.descriptor.interface_class != kMassStorage) continue;
    if (uas_allowed) {
      if (const auto found = attached_scsi(configuration, interface)) return found;
    }
    if (!best) best = bulk_only(configuration, interface);
  }
  return best;
}

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/export.hpp"

#include <fmt/format.h>
#include <utility>

namespace periplex::remote::usbip {
namespace {

constexpr std::uint8_t kFromDevice = 0x80;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint16_t kAddress = 1;
constexpr std::uint16_t kWholeConfiguration = 4096;

constexpr std::uint16_t descriptor_value(usb::DescriptorType type) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8);
}

usb::SetupPacket get_descriptor(usb::DescriptorType type, std::uint16_t length) {
  return {.request_type = kFromDevice,
          .request = static_cast<std::uint8_t>(usb::StandardRequest::get_descriptor),
          .value = descriptor_value(type),
          .index = 0,
          .length = length};
}

}  // namespace

usb::SetupPacket set_address_request() {
  return {.request_type = kToDevice,
          .request = static_cast<std::uint8_t>(usb::StandardRequest::set_address),
          .value = kAddress};
}

Enumeration::Enumeration(usb::Device& device, std::uint32_t number, Done done) : done_(std::move(done)) {
  found_.device = &device;
  found_.record.path = fmt::format("/sys/devices/periplex/usb1/1-{}", number);
  found_.record.bus_id = fmt::format("1-{}", number);
  found_.record.bus_number = 1;
  found_.record.device_number = number + 1;  // 1 is a root hub's
  found_.record.speed = linux_speed(device.speed());
}

void Enumeration::start() {
  found_.device->reset();
  request(set_address_request());
}

void Enumeration::request(const usb::SetupPacket& setup) {
  auto transfer =
      std::make_unique<usb::Transfer>(static_cast<usb::TransferOwner&>(*this), usb::TransferId(++last_id_),
                                      usb::EndpointAddress(), setup.direction(), usb::TransferData::room(setup.length));
  transfer->setup = setup;
  found_.device->submit(std::move(transfer));
}

void Enumeration::fail(std::string why) {
  done_(std::unexpected(std::move(why)));
}

void Enumeration::on_complete(usb::TransferPtr transfer, usb::Completion completion) {
  const usb::SetupPacket setup = *transfer->setup;
  if (completion.status != usb::Status::ok) {
    return fail(fmt::format("the device does not answer request {:02x} {:02x}", setup.request_type, setup.request));
  }
  const Bytes data = transfer->data.copy(completion.actual);
  if (setup == set_address_request()) {
    request(get_descriptor(usb::DescriptorType::device, usb::DeviceDescriptor::kSize));
  } else if (setup.value == descriptor_value(usb::DescriptorType::device)) {
    take_device(data);
  } else {
    take_configuration(data);
  }
}

void Enumeration::take_device(ByteView bytes) {
  const auto descriptor = usb::parse_device(bytes);
  if (!descriptor) return fail("the device's descriptor is broken");
  DeviceRecord& record = found_.record;
  record.vendor_id = descriptor->vendor_id;
  record.product_id = descriptor->product_id;
  record.bcd_device = descriptor->bcd_device;
  record.device_class = descriptor->device_class;
  record.device_subclass = descriptor->device_subclass;
  record.device_protocol = descriptor->device_protocol;
  record.num_configurations = descriptor->num_configurations;
  request(get_descriptor(usb::DescriptorType::configuration, kWholeConfiguration));
}

void Enumeration::take_configuration(ByteView bytes) {
  const auto configuration = usb::parse_configuration(bytes);
  if (!configuration) return fail("the device's configuration is broken");
  for (const usb::ParsedInterface& interface : configuration->interfaces) {
    if (interface.descriptor.alternate_setting != 0) continue;
    found_.interfaces.push_back({interface.descriptor.interface_class, interface.descriptor.interface_subclass,
                                 interface.descriptor.interface_protocol});
  }
  found_.record.num_interfaces = static_cast<std::uint8_t>(found_.interfaces.size());
  done_(std::move(found_));
}

}  // namespace periplex::remote::usbip

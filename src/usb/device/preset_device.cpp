// SPDX-License-Identifier: Apache-2.0
#include "usb/device/preset_device.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.hpp"
#include "usb/descriptors.hpp"
#include "usb/device/descriptor_walk.hpp"

namespace periplex::usb::device {
namespace {

// Indices of strings of our own: above those that devices use.
constexpr std::uint8_t kManufacturer = 0xf1;
constexpr std::uint8_t kProduct = 0xf2;
constexpr std::uint8_t kSerialNumber = 0xf3;

// Offsets in a device descriptor (USB 2.0 table 9-8), an interface and an endpoint descriptor (tables 9-12, 9-13).
constexpr std::size_t kVendorId = 8;
constexpr std::size_t kProductId = 10;
constexpr std::size_t kManufacturerIndex = 14;
constexpr std::size_t kProductIndex = 15;
constexpr std::size_t kSerialNumberIndex = 16;
constexpr std::size_t kType = 1;
constexpr std::size_t kAttributes = 3;
constexpr std::size_t kInterval = 6;
constexpr std::uint8_t kTransferType = 3;

constexpr std::uint8_t kFromDevice = 0x80;
constexpr auto kFrame = std::chrono::milliseconds(1);
constexpr auto kMicroframe = std::chrono::microseconds(125);
constexpr std::int64_t kMostFrames = 255;
constexpr int kMostExponent = 16;

bool asks_for(const Transfer& transfer, DescriptorType type) {
  return transfer.setup && transfer.setup->is(StandardRequest::get_descriptor, kFromDevice) &&
         transfer.setup->value >> 8 == static_cast<std::uint8_t>(type);
}

/// bInterval of an interrupt endpoint (USB 2.0 table 9-13): frames, or from high speed on a power of two microframes.
std::uint8_t encode_interval(Nanoseconds interval, Speed speed) {
  if (speed < Speed::high)
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>(interval / kFrame, 1, kMostFrames));
  const auto microframes = static_cast<std::uint64_t>(std::max<std::int64_t>(1, interval / kMicroframe));
  return static_cast<std::uint8_t>(std::min<int>(static_cast<int>(std::bit_width(microframes)), kMostExponent));
}

}  // namespace

PresetDevice::PresetDevice(std::unique_ptr<Device> device, DevicePreset preset, Scheduler& scheduler)
    : preset_(std::move(preset)), answers_(scheduler), device_(std::move(device)) {}

const std::string* PresetDevice::string_at(std::uint8_t index) const {
  const std::string* found = nullptr;
  if (index == kManufacturer) found = &preset_.manufacturer;
  if (index == kProduct) found = &preset_.product_name;
  if (index == kSerialNumber) found = &preset_.serial_number;
  return found != nullptr && !found->empty() ? found : nullptr;
}

bool PresetDevice::has_strings() const {
  return !preset_.manufacturer.empty() || !preset_.product_name.empty() || !preset_.serial_number.empty();
}

void PresetDevice::submit(TransferPtr transfer) {
  const bool string = asks_for(*transfer, DescriptorType::string);
  const auto index = static_cast<std::uint8_t>(string ? transfer->setup->value & 0xff : 0);
  if (const std::string* const text = string ? string_at(index) : nullptr) {
    const std::size_t size = transfer->data.write(0, encode_string(*text));
    return answers_.push(std::move(transfer), {Status::ok, static_cast<std::uint32_t>(size)});
  }
  if ((string && index == 0) || asks_for(*transfer, DescriptorType::device) ||
      asks_for(*transfer, DescriptorType::configuration) ||
      asks_for(*transfer, DescriptorType::other_speed_configuration)) {
    asked_.emplace(transfer->id(), &transfer->interpose(*this));
  }
  device_->submit(std::move(transfer));
}

void PresetDevice::on_complete(TransferPtr transfer, Completion completion) {
  const auto asked = asked_.find(transfer->id());
  PERIPLEX_CHECK(asked != asked_.end());
  (void)transfer->interpose(*asked->second);
  asked_.erase(asked);
  if (asks_for(*transfer, DescriptorType::string) && completion.status == Status::stall && has_strings()) {
    // A device without strings has no languages either (USB 2.0 §9.6.7): ours are in English, United States.
    constexpr std::array<std::byte, 4> kLanguages{std::byte{4}, std::byte{3}, std::byte{0x09}, std::byte{0x04}};
    completion = {Status::ok, static_cast<std::uint32_t>(transfer->data.write(0, kLanguages))};
  } else if (completion.status == Status::ok && asks_for(*transfer, DescriptorType::device)) {
    change_device(*transfer, completion.actual);
  } else if (completion.status == Status::ok && !asks_for(*transfer, DescriptorType::string)) {
    change_configuration(*transfer, completion.actual);
  }
  Transfer::complete(std::move(transfer), completion);
}

void PresetDevice::change_device(Transfer& transfer, std::size_t actual) const {
  const auto put = [&](std::size_t offset, std::uint8_t value) {
    if (offset < actual) change(transfer, offset, value);
  };
  const auto put_id = [&](std::size_t offset, std::optional<std::uint16_t> id) {
    if (!id) return;
    put(offset, static_cast<std::uint8_t>(*id & 0xff));
    put(offset + 1, static_cast<std::uint8_t>(*id >> 8));
  };
  put_id(kVendorId, preset_.vendor);
  put_id(kProductId, preset_.product);
  if (!preset_.manufacturer.empty()) put(kManufacturerIndex, kManufacturer);
  if (!preset_.product_name.empty()) put(kProductIndex, kProduct);
  if (!preset_.serial_number.empty()) put(kSerialNumberIndex, kSerialNumber);
}

void PresetDevice::change_configuration(Transfer& transfer, std::size_t actual) const {
  if (!preset_.interval) return;
  const Bytes bytes = transfer.data.copy(actual);
  walk_descriptors(bytes, [&](std::size_t at, ByteView descriptor) {
    if (descriptor.size() <= kInterval ||
        descriptor[kType] != std::byte{static_cast<std::uint8_t>(DescriptorType::endpoint)}) {
      return;
    }
    const auto type = static_cast<TransferType>(std::to_integer<std::uint8_t>(descriptor[kAttributes]) & kTransferType);
    if (type != TransferType::interrupt) return;
    change(transfer, at + kInterval, encode_interval(*preset_.interval, speed()));
  });
}

}  // namespace periplex::usb::device

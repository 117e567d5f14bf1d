// SPDX-License-Identifier: Apache-2.0
#include "storage/device_setup.hpp"

#include <algorithm>
#include <utility>

#include "storage/command.hpp"
#include "storage/transport.hpp"

namespace periplex::storage {
namespace {

using usb::DescriptorType;
using usb::SetupPacket;

constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kClassFromInterface = 0xa1;
constexpr std::uint8_t kGetDescriptor = 6;
constexpr std::uint8_t kSetConfiguration = 9;
constexpr std::uint8_t kSetInterface = 11;
constexpr std::uint8_t kGetMaxLun = 0xfe;  // Bulk-Only §3.2
constexpr std::uint16_t kMaxConfiguration = 4096;
constexpr std::uint16_t kStringRoom = 255;

void append_utf8(std::string& text, char32_t code) {
  const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xc0 | (code >> 6)), put(0x80 | (code & 0x3f));
  if (code < 0x10000) {
    return put(0xe0 | (code >> 12)), put(0x80 | ((code >> 6) & 0x3f)), put(0x80 | (code & 0x3f));
  }
  put(0xf0 | (code >> 18)), put(0x80 | ((code >> 12) & 0x3f)), put(0x80 | ((code >> 6) & 0x3f));
  put(0x80 | (code & 0x3f));
}

}  // namespace

std::string decode_string(ByteView descriptor) {
  ByteView rest = descriptor;
  if (rest.empty()) return {};
  const auto view = usb::take_descriptor(rest);
  if (!view || !view->is(DescriptorType::string)) return {};
  ByteReader in(view->bytes.subspan(2));
  std::string text;
  while (in.remaining() >= 2) {
    char32_t code = in.le16();
    if (code >= 0xd800 && code < 0xe000) {
      const ByteReader before = in;
      const char32_t low = code < 0xdc00 ? in.le16() : 0;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        in = before;
        code = 0xfffd;
      }
    }
    if (code != 0) append_utf8(text, code);
  }
  return text;
}

DeviceSetup::DeviceSetup(usb::Device& device, DevicePipes& pipes, Scheduler& scheduler, bool uas_allowed)
    : device_(device),
      pipes_(pipes),
      uas_allowed_(uas_allowed),
      timer_(scheduler.make_timer([this] { finish(std::unexpected(InitiatorError::no_answer)); })) {}

void DeviceSetup::open(Opened opened) {
  opened_ = std::move(opened);
  facts_ = {};
  facts_.identity.speed = device_.speed();
  get_descriptor(1, 0, usb::DeviceDescriptor::kSize, &DeviceSetup::on_device);
}

void DeviceSetup::configure(const DiskInterface& interface, Configured configured) {
  configured_ = std::move(configured);
  facts_.interface = interface;
  set_configuration();
}

void DeviceSetup::ask(const SetupPacket& setup, Step then) {
  timer_->arm(kRecoveryTimeout);
  pipes_.control(setup, [this, then, epoch = ++epoch_](usb::Status status, std::uint32_t, Bytes data) {
    if (epoch != epoch_) return;
    if (status == usb::Status::disconnected) return finish(std::unexpected(InitiatorError::gone));
    if (status != usb::Status::ok && status != usb::Status::stall) {
      return finish(std::unexpected(InitiatorError::no_answer));
    }
    (this->*then)(status == usb::Status::ok ? std::optional(std::move(data)) : std::nullopt);
  });
}

void DeviceSetup::get_descriptor(std::uint8_t type, std::uint8_t index, std::uint16_t length, Step then,
                                 std::uint16_t language) {
  const auto value = static_cast<std::uint16_t>(type << 8 | index);
  ask({kFromDevice, kGetDescriptor, value, language, length}, then);
}

void DeviceSetup::on_device(std::optional<Bytes> data) {
  const auto device = usb::parse_device(data.value_or(Bytes{}));
  if (!device) return finish(std::unexpected(InitiatorError::no_answer));
  facts_.identity.vendor_id = device->vendor_id;
  facts_.identity.product_id = device->product_id;
  facts_.identity.release = device->bcd_device;
  strings_ = {device->manufacturer, device->product, device->serial_number};
  get_descriptor(2, 0, usb::ConfigurationDescriptor::kSize, &DeviceSetup::on_configuration_header);
}

void DeviceSetup::on_configuration_header(std::optional<Bytes> data) {
  ByteReader in(data ? ByteView(*data) : ByteView{});
  in.skip(2);
  const std::uint16_t total = in.le16();
  if (!in.ok()) return finish(std::unexpected(InitiatorError::no_answer));
  get_descriptor(2, 0, std::min(total, kMaxConfiguration), &DeviceSetup::on_configuration);
}

void DeviceSetup::on_configuration(std::optional<Bytes> data) {
  const auto configuration = usb::parse_configuration(data.value_or(Bytes{}));
  if (!configuration) return finish(std::unexpected(InitiatorError::no_answer));
  const auto found = find_disk(*configuration, uas_allowed_);
  if (!found) return finish(std::unexpected(InitiatorError::no_disk));
  facts_.interface = *found;
  facts_.identity.attached_scsi = found->attached_scsi;
  string_ = 0;
  if (strings_ == decltype(strings_){}) return set_configuration();
  get_descriptor(3, 0, kStringRoom, &DeviceSetup::on_languages);
}

void DeviceSetup::on_languages(std::optional<Bytes> data) {
  ByteReader in(data ? ByteView(*data) : ByteView{});
  in.skip(2);
  language_ = in.le16();
  if (!in.ok()) return set_configuration();  // strings are worth having, and no reason to do without a disk
  next_string();
}

void DeviceSetup::next_string() {
  while (string_ < strings_.size() && strings_[string_] == 0) ++string_;
  if (string_ == strings_.size()) return set_configuration();
  get_descriptor(3, strings_[string_], kStringRoom, &DeviceSetup::on_string, language_);
}

void DeviceSetup::on_string(std::optional<Bytes> data) {
  const std::array texts = {&facts_.identity.manufacturer, &facts_.identity.product, &facts_.identity.serial_number};
  if (data) *texts[string_] = decode_string(*data);
  ++string_;
  next_string();
}

void DeviceSetup::set_configuration() {
  ask({kToDevice, kSetConfiguration, facts_.interface.configuration, 0, 0}, &DeviceSetup::on_configuration_set);
}

void DeviceSetup::on_configuration_set(std::optional<Bytes> data) {
  if (!data) return finish(std::unexpected(InitiatorError::no_answer));
  if (!facts_.interface.has_alternates) return on_interface_set(Bytes{});
  ask({kToInterface, kSetInterface, facts_.interface.alternate_setting, facts_.interface.number, 0},
      &DeviceSetup::on_interface_set);
}

void DeviceSetup::on_interface_set(std::optional<Bytes> data) {
  if (!data) return finish(std::unexpected(InitiatorError::no_answer));
  if (facts_.interface.attached_scsi || configured_) return finish({});
  ask({kClassFromInterface, kGetMaxLun, 0, facts_.interface.number, 1}, &DeviceSetup::on_max_lun);
}

/// "Devices that do not support multiple LUNs may STALL this command" (Bulk-Only §3.2).
void DeviceSetup::on_max_lun(std::optional<Bytes> data) {
  if (data && !data->empty()) facts_.last_lun = std::min(std::to_integer<std::uint8_t>(data->front()), kMaxLun);
  finish({});
}

void DeviceSetup::finish(std::expected<void, InitiatorError> outcome) {
  timer_->cancel();
  ++epoch_;
  if (Configured configured = std::exchange(configured_, nullptr)) return configured(outcome);
  Opened opened = std::exchange(opened_, nullptr);
  if (!opened) return;
  if (outcome) {
    opened(facts_);
  } else {
    opened(std::unexpected(outcome.error()));
  }
}

}  // namespace periplex::storage

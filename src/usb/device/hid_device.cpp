// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_device.hpp"

#include <chrono>

#include "usb/device/product_ids.hpp"

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t kHidClass = 3;
constexpr std::uint8_t kBootSubclass = 1;

/// bDescriptorType (HID 1.11 §7.1).
constexpr std::uint8_t kHidDescriptor = 0x21;
constexpr std::uint8_t kReportDescriptor = 0x22;

/// bRequest (HID 1.11 §7.2).
constexpr std::uint8_t kGetReport = 0x01;
constexpr std::uint8_t kGetIdle = 0x02;
constexpr std::uint8_t kGetProtocol = 0x03;
constexpr std::uint8_t kSetReport = 0x09;
constexpr std::uint8_t kSetIdle = 0x0a;
constexpr std::uint8_t kSetProtocol = 0x0b;
constexpr std::uint8_t kClassIn = 0xa1;
constexpr std::uint8_t kClassOut = 0x21;

/// The high byte of wValue in GET_REPORT and SET_REPORT (§7.2.1).
constexpr unsigned kInputReport = 1;
constexpr unsigned kOutputReport = 2;

constexpr auto kIdleUnit = std::chrono::milliseconds(4);

std::uint8_t high(std::uint16_t value) {
  return static_cast<std::uint8_t>(value >> 8);
}
std::uint8_t low(std::uint16_t value) {
  return static_cast<std::uint8_t>(value);
}

/// HID 1.11 §6.2.1.
Bytes hid_descriptor(std::size_t report_descriptor_size) {
  return ByteWriter()
      .u8(9)
      .u8(kHidDescriptor)
      .le16(0x0111)
      .u8(0)  // not localised
      .u8(1)
      .u8(kReportDescriptor)
      .le16(static_cast<std::uint16_t>(report_descriptor_size))
      .take();
}

DeviceDescription describe(const HidDescription& hid, std::string_view id) {
  EndpointDescription in{.address = HidDevice::kInterruptIn,
                         .type = TransferType::interrupt,
                         .payload = hid.report_size,
                         .interval = hid.interval};
  InterfaceDescription interface{.interface_class = kHidClass,
                                 .interface_subclass = hid.subclass,
                                 .interface_protocol = hid.protocol,
                                 .class_descriptors = hid_descriptor(hid.report_descriptor.size()),
                                 .endpoints = {std::move(in)}};
  return {.vendor_id = kVendorId,
          .product_id = hid.product_id,
          .manufacturer = std::string(kManufacturer),
          .product = std::string(hid.product),
          .serial_number = stable_serial_number(id),
          .max_power_ma = 100,
          .remote_wake_up = true,
          .interfaces = {std::move(interface)}};
}

}  // namespace

HidDevice::HidDevice(const HidDescription& hid, std::string_view id, Speed speed, Scheduler& scheduler)
    : EmulatedDevice(describe(hid, id), speed, scheduler),
      report_descriptor_(hid.report_descriptor),
      interval_(hid.interval) {}

void HidDevice::reports_waiting() {
  request_wake_up();
  deliver();
}

void HidDevice::on_transfer(EndpointAddress endpoint) {
  if (endpoint == kInterruptIn) deliver();
}

void HidDevice::deliver() {
  // A suspended port carries nothing; what waits is delivered on resume.
  if (suspended() || peek_pending(kInterruptIn) == nullptr) return;
  const Nanoseconds now = scheduler().now();
  if (now < next_poll_) return wait_for_next_poll(now);
  std::optional<Bytes> report = next_report();
  if (!report && idle_period_over_) report = current_report();
  if (!report) return;
  finish_with(take_pending(kInterruptIn), *report);
  next_poll_ = now + interval_;
  start_idle_period();
  if (peek_pending(kInterruptIn) != nullptr) wait_for_next_poll(now);
}

void HidDevice::wait_for_next_poll(Nanoseconds now) {
  if (!poll_timer_) poll_timer_ = scheduler().make_timer([this] { deliver(); });
  if (!poll_timer_->armed()) poll_timer_->arm(next_poll_ - now);
}

void HidDevice::start_idle_period() {
  idle_period_over_ = false;
  if (idle_rate_ == 0) {
    if (idle_timer_) idle_timer_->cancel();
    return;
  }
  if (!idle_timer_) {
    idle_timer_ = scheduler().make_timer([this] {
      idle_period_over_ = true;
      deliver();
    });
  }
  idle_timer_->arm(idle_rate_ * kIdleUnit);
}

void HidDevice::on_configured(std::uint8_t value) {
  forget_settings();
  if (value != 0) restart_reports();
}

void HidDevice::on_reset() {
  forget_settings();
  restart_reports();
}

void HidDevice::forget_settings() {
  boot_protocol_ = false;  // "When initialized, all devices default to report protocol" (HID 1.11 §7.2.6)
  // §7.2.4 recommends 500 ms for a keyboard to begin with; that would be a timer in a guest that may never ask for it.
  idle_rate_ = 0;
  start_idle_period();
}

std::optional<Bytes> HidDevice::class_descriptor(const SetupPacket& setup) const {
  if (low(setup.value) != 0) return std::nullopt;
  switch (high(setup.value)) {
    case kHidDescriptor:
      return hid_descriptor(report_descriptor_.size());
    case kReportDescriptor: {
      const ByteView bytes = std::as_bytes(report_descriptor_);
      return Bytes(bytes.begin(), bytes.end());
    }
    default:
      return std::nullopt;
  }
}

ControlResult HidDevice::on_class_request(const SetupPacket& setup, ByteView data) {
  if (setup.request_type == kClassIn) {
    switch (setup.request) {
      case kGetReport:
        return get_report(setup);
      case kGetIdle:
        if (setup.value != 0 || setup.length != 1) return kStall;
        return Bytes{std::byte{idle_rate_}};
      case kGetProtocol:
        if (!has_boot_protocol() || setup.value != 0 || setup.length != 1) return kStall;
        return Bytes{boot_protocol_ ? std::byte{0} : std::byte{1}};
      default:
        return kStall;
    }
  }
  if (setup.request_type == kClassOut) {
    switch (setup.request) {
      case kSetReport:
        return set_report(setup, data);
      case kSetIdle:
        return set_idle(setup);
      case kSetProtocol:
        return set_protocol(setup);
      default:
        return kStall;
    }
  }
  return kStall;
}

// HID 1.11 §7.2.1. We have no report ids, so the low byte of wValue is 0.
ControlResult HidDevice::get_report(const SetupPacket& setup) const {
  if (low(setup.value) != 0) return kStall;
  if (high(setup.value) == kInputReport) return current_report();
  if (high(setup.value) == kOutputReport) {
    if (auto report = output_report()) return std::move(*report);
  }
  return kStall;
}

// §7.2.2.
ControlResult HidDevice::set_report(const SetupPacket& setup, ByteView data) {
  if (high(setup.value) != kOutputReport || low(setup.value) != 0) return kStall;
  if (!set_output_report(data)) return kStall;
  return Bytes{};
}

// §7.2.4. The new rate holds from now on.
ControlResult HidDevice::set_idle(const SetupPacket& setup) {
  if (low(setup.value) != 0 || setup.length != 0) return kStall;
  idle_rate_ = high(setup.value);
  start_idle_period();
  return Bytes{};
}

// §7.2.6: 0 is the boot protocol, 1 the report protocol.
ControlResult HidDevice::set_protocol(const SetupPacket& setup) {
  if (!has_boot_protocol() || setup.value > 1 || setup.length != 0) return kStall;
  boot_protocol_ = setup.value == 0;
  return Bytes{};
}

bool HidDevice::has_boot_protocol() const {
  return description().interfaces.front().interface_subclass == kBootSubclass;
}

}  // namespace periplex::usb::device

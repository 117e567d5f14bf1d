// SPDX-License-Identifier: Apache-2.0
#include "usb/device/control_endpoint.hpp"

#include <algorithm>

namespace periplex::usb::device {
namespace {

/// Feature selectors (USB 2.0 table 9-6, USB 3.2 table 9-7); each recipient has a number space of its own.
constexpr std::uint16_t kEndpointHalt = 0;
constexpr std::uint16_t kFunctionSuspend = 0;
constexpr std::uint16_t kDeviceRemoteWakeUp = 1;
constexpr std::uint16_t kU1Enable = 48;
constexpr std::uint16_t kU2Enable = 49;

/// Bits of wIndex in SET_FEATURE(FUNCTION_SUSPEND) (USB 3.2 table 9-8).
constexpr std::uint16_t kFunctionRemoteWakeEnable = 1u << 9;
constexpr std::uint16_t kFunctionSuspendReserved = 0xfc00;

/// Bits of a GET_STATUS answer (USB 2.0 figures 9-4 to 9-6, USB 3.2 figures 9-4 and 9-5).
constexpr unsigned kStatusSelfPowered = 1u << 0;
constexpr unsigned kStatusRemoteWakeUp = 1u << 1;
constexpr unsigned kStatusU1Enable = 1u << 2;
constexpr unsigned kStatusU2Enable = 1u << 3;
constexpr unsigned kStatusFunctionWakeCapable = 1u << 0;
constexpr unsigned kStatusFunctionWakeEnabled = 1u << 1;
constexpr unsigned kStatusHalt = 1u << 0;

constexpr std::uint16_t kHighestAddress = 127;
constexpr std::uint16_t kSetSelLength = 6;

constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kFromDevice = 0x80;
constexpr std::uint8_t kFromInterface = 0x81;

ControlResult byte(std::uint8_t value) {
  return Bytes{std::byte{value}};
}
ControlResult word(unsigned value) {
  return ByteWriter().le16(static_cast<std::uint16_t>(value)).take();
}
ControlResult done() {
  return Bytes{};
}

/// wIndex of a request to an endpoint (USB 2.0 figure 9-2); bits that are reserved make it none.
std::optional<EndpointAddress> endpoint_of(const SetupPacket& setup) {
  if ((setup.index & 0xff70) != 0) return std::nullopt;
  return EndpointAddress(static_cast<std::uint8_t>(setup.index));
}

}  // namespace

ControlEndpoint::ControlEndpoint(const DeviceDescription& description, const DescriptorSet& descriptors, Speed speed,
                                 Function& function)
    : description_(description), descriptors_(descriptors), speed_(speed), function_(function) {}

void ControlEndpoint::reset() {
  configuration_ = 0;
  settings_.clear();
  remote_wake_up_ = u1_enabled_ = u2_enabled_ = false;
}

std::optional<std::uint8_t> ControlEndpoint::alternate_setting(std::uint8_t interface) const {
  const auto found = std::ranges::find(settings_, interface, &Setting::interface);
  if (found == settings_.end()) return std::nullopt;
  return found->alternate_setting;
}

ControlResult ControlEndpoint::handle(const SetupPacket& setup, ByteView data) {
  switch (setup.type()) {
    case RequestType::standard:
      return standard(setup, data);
    case RequestType::device_class:
    case RequestType::vendor:
      break;
    case RequestType::reserved:
      return kStall;
  }
  if (setup.recipient() == Recipient::interface && !has_interface(setup.index & 0xff)) return kStall;
  return function_.on_class_request(setup, data);
}

ControlResult ControlEndpoint::standard(const SetupPacket& setup, ByteView data) {
  switch (static_cast<StandardRequest>(setup.request)) {
    case StandardRequest::get_status:
      return get_status(setup);
    case StandardRequest::clear_feature:
      return change_feature(setup, false);
    case StandardRequest::set_feature:
      return change_feature(setup, true);
    case StandardRequest::set_address:
      return set_address(setup);
    case StandardRequest::get_descriptor:
      return get_descriptor(setup);
    case StandardRequest::get_configuration:
      return get_configuration(setup);
    case StandardRequest::set_configuration:
      return set_configuration(setup);
    case StandardRequest::get_interface:
      return get_interface(setup);
    case StandardRequest::set_interface:
      return set_interface(setup);
    case StandardRequest::set_sel:
      return set_sel(setup, data);
    case StandardRequest::set_isoch_delay:
      return set_isoch_delay(setup);
    case StandardRequest::set_descriptor:
    case StandardRequest::synch_frame:
      return kStall;
  }
  return kStall;
}

// USB 2.0 §9.4.5: "If wValue or wLength are not as specified above, or if wIndex is non-zero for a device status
// request, then the behavior of the device is not specified." From USB 3.1 on another wValue asks for PTM status, which
// we do not have.
ControlResult ControlEndpoint::get_status(const SetupPacket& setup) const {
  if (setup.direction() != Direction::in || setup.value != 0 || setup.length != 2) return kStall;
  const bool usb3 = is_usb3(speed_);
  switch (setup.recipient()) {
    case Recipient::device:
      if (setup.index != 0) return kStall;
      // From USB 3 on, remote wake-up is a matter of functions, and the device's bit is reserved (USB 3.2 §9.4.5).
      return word((description_.self_powered ? kStatusSelfPowered : 0) |
                  (remote_wake_up_ && !usb3 ? kStatusRemoteWakeUp : 0) | (u1_enabled_ ? kStatusU1Enable : 0) |
                  (u2_enabled_ ? kStatusU2Enable : 0));
    case Recipient::interface:
      if (configuration_ == 0 || !has_interface(setup.index)) return kStall;
      return word((usb3 && description_.remote_wake_up ? kStatusFunctionWakeCapable : 0) |
                  (usb3 && remote_wake_up_ ? kStatusFunctionWakeEnabled : 0));
    case Recipient::endpoint: {
      const auto endpoint = endpoint_of(setup);
      if (!endpoint) return kStall;
      if (endpoint->number() == 0) return word(0);
      const auto halted = function_.halted(*endpoint);
      if (!halted) return kStall;
      return word(*halted ? kStatusHalt : 0);
    }
    case Recipient::other:
      break;
  }
  return kStall;
}

// USB 2.0 §9.4.1, §9.4.9; USB 3.2 §9.4.1, §9.4.9.
ControlResult ControlEndpoint::change_feature(const SetupPacket& setup, bool on) {
  if (setup.direction() != Direction::out || setup.length != 0) return kStall;
  switch (setup.recipient()) {
    case Recipient::device:
      return change_device_feature(setup, on);
    case Recipient::interface:
      return change_interface_feature(setup, on);
    case Recipient::endpoint:
      return change_endpoint_feature(setup, on);
    case Recipient::other:
      break;
  }
  return kStall;
}

ControlResult ControlEndpoint::change_device_feature(const SetupPacket& setup, bool on) {
  if (setup.index != 0) return kStall;
  if (is_usb3(speed_)) {
    // U1_ENABLE and U2_ENABLE are valid only in the Configured state (USB 3.2 §9.4.9).
    if (configuration_ == 0) return kStall;
    if (setup.value == kU1Enable) return u1_enabled_ = on, done();
    if (setup.value == kU2Enable) return u2_enabled_ = on, done();
    return kStall;
  }
  if (setup.value != kDeviceRemoteWakeUp || !description_.remote_wake_up) return kStall;
  remote_wake_up_ = on;
  return done();
}

ControlResult ControlEndpoint::change_interface_feature(const SetupPacket& setup, bool on) {
  if (!is_usb3(speed_) || configuration_ == 0) return kStall;
  if (setup.value != kFunctionSuspend || !has_interface(setup.index & 0xff)) return kStall;
  if ((setup.index & kFunctionSuspendReserved) != 0) return kStall;
  // Our functions have no suspend state of their own: the bit for it changes nothing. CLEAR_FEATURE ends function
  // suspend and leaves remote wake as SET_FEATURE last said (USB 3.2 §9.4.1, §9.2.5.4).
  if (!on) return done();
  const bool enable = (setup.index & kFunctionRemoteWakeEnable) != 0;
  if (enable && !description_.remote_wake_up) return kStall;
  remote_wake_up_ = enable;
  return done();
}

ControlResult ControlEndpoint::change_endpoint_feature(const SetupPacket& setup, bool on) {
  const auto endpoint = endpoint_of(setup);
  if (setup.value != kEndpointHalt || !endpoint) return kStall;
  // "It is neither required nor recommended that the Halt feature be implemented for the Default Control Pipe."
  if (endpoint->number() == 0) return on ? ControlResult(kStall) : done();
  if (!function_.halted(*endpoint)) return kStall;
  // "The Halt feature is required to be implemented for all interrupt and bulk endpoint types": isochronous ones have
  // none (USB 2.0 §9.4.5, §5.6.5). To clear what cannot be set does no harm, and some drivers do it.
  const bool changed = function_.set_halted(*endpoint, on);
  return changed || !on ? done() : ControlResult(kStall);
}

// USB 2.0 §9.4.6.
ControlResult ControlEndpoint::set_address(const SetupPacket& setup) const {
  const bool valid =
      setup.request_type == kToDevice && setup.value <= kHighestAddress && setup.index == 0 && setup.length == 0;
  return valid ? done() : ControlResult(kStall);
}

// USB 2.0 §9.4.3. Requests to an interface are the class's (HID 1.11 §7.1.1).
ControlResult ControlEndpoint::get_descriptor(const SetupPacket& setup) const {
  if (setup.request_type == kFromInterface && has_interface(setup.index)) {
    if (auto bytes = function_.class_descriptor(setup)) return std::move(*bytes);
    return kStall;
  }
  if (setup.request_type != kFromDevice) return kStall;
  const auto found = descriptors_.find(setup.value);
  if (!found) return kStall;
  return Bytes(found->begin(), found->end());
}

// USB 2.0 §9.4.2.
ControlResult ControlEndpoint::get_configuration(const SetupPacket& setup) const {
  const bool valid = setup.request_type == kFromDevice && setup.value == 0 && setup.index == 0 && setup.length == 1;
  return valid ? byte(configuration_) : ControlResult(kStall);
}

// USB 2.0 §9.4.7. Choosing the configuration it has again starts it afresh, with all alternate settings 0 and no
// endpoint halted (§9.1.1.5).
ControlResult ControlEndpoint::set_configuration(const SetupPacket& setup) {
  if (setup.request_type != kToDevice || setup.index != 0 || setup.length != 0) return kStall;
  if (setup.value != 0 && setup.value != DeviceDescription::kConfigurationValue) return kStall;
  configuration_ = static_cast<std::uint8_t>(setup.value);
  settings_.clear();
  u1_enabled_ = u2_enabled_ = false;  // USB 3.2 §9.4.7: as if the features had never been set
  if (configuration_ != 0) {
    for (const InterfaceDescription& interface : description_.interfaces) {
      if (interface.alternate_setting == 0) settings_.push_back({interface.number, 0});
    }
  }
  function_.set_configuration(configuration_);
  return done();
}

// USB 2.0 §9.4.4.
ControlResult ControlEndpoint::get_interface(const SetupPacket& setup) const {
  if (setup.request_type != kFromInterface || setup.value != 0 || setup.length != 1) return kStall;
  if (!has_interface(setup.index)) return kStall;
  const auto current = alternate_setting(static_cast<std::uint8_t>(setup.index));
  return current ? byte(*current) : ControlResult(kStall);
}

// USB 2.0 §9.4.10.
ControlResult ControlEndpoint::set_interface(const SetupPacket& setup) {
  if (setup.request_type != kToInterface || setup.length != 0 || !has_interface(setup.index)) return kStall;
  const auto number = static_cast<std::uint8_t>(setup.index);
  const auto setting = std::ranges::find(settings_, number, &Setting::interface);
  if (setting == settings_.end() || !has_setting(number, setup.value)) return kStall;
  setting->alternate_setting = static_cast<std::uint8_t>(setup.value);
  function_.set_interface(number, setting->alternate_setting);
  return done();
}

// USB 3.2 §9.4.12. The latencies tell a device when it may let its link sleep; ours never does.
ControlResult ControlEndpoint::set_sel(const SetupPacket& setup, ByteView data) const {
  const bool valid = is_usb3(speed_) && setup.request_type == kToDevice && setup.value == 0 && setup.index == 0 &&
                     setup.length == kSetSelLength && data.size() == kSetSelLength;
  return valid ? done() : ControlResult(kStall);
}

// USB 3.2 §9.4.11.
ControlResult ControlEndpoint::set_isoch_delay(const SetupPacket& setup) const {
  const bool valid = is_usb3(speed_) && setup.request_type == kToDevice && setup.index == 0 && setup.length == 0;
  return valid ? done() : ControlResult(kStall);
}

bool ControlEndpoint::has_interface(std::uint16_t index) const {
  return std::ranges::any_of(description_.interfaces, [&](const auto& each) { return each.number == index; });
}

bool ControlEndpoint::has_setting(std::uint8_t interface, std::uint16_t alternate_setting) const {
  return std::ranges::any_of(description_.interfaces, [&](const auto& each) {
    return each.number == interface && each.alternate_setting == alternate_setting;
  });
}

}  // namespace periplex::usb::device

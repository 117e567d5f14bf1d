// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "usb/device/descriptor_set.hpp"
#include "usb/device/device_description.hpp"
#include "usb/setup_packet.hpp"
#include "usb/speed.hpp"

namespace periplex::usb::device {

/// A Request Error: the control transfer ends with a STALL (USB 2.0 §9.2.7).
struct Stall {};
/// The bytes of a guest-bound data stage (empty where there is none), or a STALL.
using ControlResult = std::expected<Bytes, Stall>;
inline constexpr std::unexpected<Stall> kStall{Stall{}};

/// The default control pipe of a device: answers the standard requests (USB 2.0 §9.4, USB 3.2 §9.4) and leaves those of
/// a class or a vendor to the function.
///
/// Where the manual says that a device's behaviour "is not specified", malformed requests get a Request Error. Not
/// refused is a request that comes before SET_ADDRESS: controllers address devices in their own ways, and what address
/// a device has makes no difference here. Refused are SET_DESCRIPTOR, SYNCH_FRAME, TEST_MODE and LTM_ENABLE: all
/// optional, and nothing here could honour them.
class ControlEndpoint {
 public:
  /// The device around the pipe, which the requests ask and change.
  class Function {
   public:
    virtual ControlResult on_class_request(const SetupPacket& setup, ByteView data) = 0;
    [[nodiscard]] virtual std::optional<Bytes> class_descriptor(const SetupPacket& setup) const = 0;
    virtual void set_configuration(std::uint8_t value) = 0;
    virtual void set_interface(std::uint8_t number, std::uint8_t alternate_setting) = 0;
    /// Empty if the endpoint is none of the current configuration's.
    [[nodiscard]] virtual std::optional<bool> halted(EndpointAddress endpoint) const = 0;
    /// Called only for endpoints of the current configuration. False: this one cannot be halted.
    [[nodiscard]] virtual bool set_halted(EndpointAddress endpoint, bool halted) = 0;

   protected:
    ~Function() = default;
  };

  /// All must outlive it.
  ControlEndpoint(const DeviceDescription& description, const DescriptorSet& descriptors, Speed speed,
                  Function& function);

  /// Answers one request. `data` is the device-bound data stage as it came, perhaps shorter than wLength.
  [[nodiscard]] ControlResult handle(const SetupPacket& setup, ByteView data);

  /// A port reset: nothing is configured, no feature is on.
  void reset();

  /// bConfigurationValue; 0 while not configured.
  [[nodiscard]] std::uint8_t configuration() const { return configuration_; }
  /// The interface's current alternate setting; empty while not configured or if there is no such interface.
  [[nodiscard]] std::optional<std::uint8_t> alternate_setting(std::uint8_t interface) const;
  [[nodiscard]] bool remote_wake_up_enabled() const { return remote_wake_up_; }

 private:
  struct Setting {
    std::uint8_t interface;
    std::uint8_t alternate_setting;
  };

  [[nodiscard]] ControlResult standard(const SetupPacket& setup, ByteView data);
  [[nodiscard]] ControlResult get_status(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult change_feature(const SetupPacket& setup, bool on);
  [[nodiscard]] ControlResult change_device_feature(const SetupPacket& setup, bool on);
  [[nodiscard]] ControlResult change_interface_feature(const SetupPacket& setup, bool on);
  [[nodiscard]] ControlResult change_endpoint_feature(const SetupPacket& setup, bool on);
  [[nodiscard]] ControlResult set_address(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult get_descriptor(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult get_configuration(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult set_configuration(const SetupPacket& setup);
  [[nodiscard]] ControlResult get_interface(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult set_interface(const SetupPacket& setup);
  [[nodiscard]] ControlResult set_sel(const SetupPacket& setup, ByteView data) const;
  [[nodiscard]] ControlResult set_isoch_delay(const SetupPacket& setup) const;
  [[nodiscard]] bool has_interface(std::uint16_t index) const;
  [[nodiscard]] bool has_setting(std::uint8_t interface, std::uint16_t alternate_setting) const;

  const DeviceDescription& description_;
  const DescriptorSet& descriptors_;
  const Speed speed_;
  Function& function_;

  std::uint8_t configuration_ = 0;
  std::vector<Setting> settings_;  // of each interface while configured
  bool remote_wake_up_ = false;
  bool u1_enabled_ = false;
  bool u2_enabled_ = false;
};

}  // namespace periplex::usb::device

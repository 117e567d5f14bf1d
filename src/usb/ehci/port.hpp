// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/register_file.hpp"
#include "base/time.hpp"
#include "usb/companion_ports.hpp"
#include "usb/other_speed_device.hpp"

namespace periplex::usb::ehci {

/// What a port tells its controller.
class PortHost {
 public:
  /// A change bit of PORTSC was set: USBSTS.Port Change Detect (EHCI 1.0 §2.3.2).
  virtual void port_changed() = 0;
  /// `device` listens at address 0 from now on.
  virtual void device_enabled(Device& device) = 0;
  /// `device` listens no more: its port is disabled or being reset, or it leaves this controller. What it holds is to
  /// be cancelled, within this call.
  virtual void device_disabled(Device& device) = 0;
  /// The port carries traffic again.
  virtual void port_resumed() = 0;

 protected:
  ~PortHost() = default;
};

/// One root port (§2.3.9) with its routing (§4.2): while the companion owns it, what is plugged in appears there and
/// nothing is connected here.
///
/// A reset ends when the guest says so. Only a high-speed device is enabled by it; the guest's driver hands others over
/// by writing Port Owner. A high-speed device runs at full speed there. Where the controller has no companion for the
/// port, it is always this controller's.
class Port {
 public:
  Port(unsigned number, RegisterFile& registers, std::uint32_t base, std::optional<CompanionPort> companion,
       Scheduler& scheduler, PortHost& host);
  ~Port();

  [[nodiscard]] unsigned number() const { return number_; }
  /// What is plugged in, whoever owns the port.
  [[nodiscard]] Device* device() const { return device_; }
  [[nodiscard]] bool has_companion() const { return companion_.has_value(); }
  /// A device is connected here, and not at the companion.
  [[nodiscard]] bool connected() const;
  [[nodiscard]] bool suspended() const;

  void attach(Device& device);
  void detach();

  /// CONFIGFLAG has been written (§4.2.1).
  void set_configured(bool configured);
  /// Host controller reset: as after power-on, with whatever is plugged in.
  void reset();

  /// Visits what the device has done at the companion, if it is there.
  void for_each_endpoint_at_companion(const VisitEndpoint& visit) const;

 private:
  enum class Owner : std::uint8_t { ehci, companion };

  [[nodiscard]] Owner default_owner() const;
  void on_portsc_write(const RegisterWrite& write);
  void set_owner(Owner owner);
  void connect();
  void disconnect();
  void connect_to_companion();
  void disconnect_from_companion();
  void show_connection(bool connected);
  void disable();
  void begin_reset();
  void end_reset();
  void suspend();
  void end_resume();
  void wake_up();
  void change(const Field& bit);

  unsigned number_;
  RegisterCell& portsc_;
  std::optional<CompanionPort> companion_;
  Scheduler& scheduler_;
  PortHost& host_;
  bool configured_ = false;
  Owner owner_;
  Device* device_ = nullptr;
  std::optional<OtherSpeedDevice> full_speed_;  // in front of a high-speed `device_`, while the companion has it
  Device* at_companion_ = nullptr;              // what is plugged in there
};

}  // namespace periplex::usb::ehci

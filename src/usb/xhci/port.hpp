// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/register_file.hpp"
#include "usb/device.hpp"

namespace periplex::usb::xhci {

/// Which half of a connector a root hub port is (xHCI 1.2 §4.19.7).
enum class PortProtocol : std::uint8_t { usb2, usb3 };

/// PORTSC.PLS (table 5-27), the values that occur here.
enum class LinkState : std::uint8_t { u0 = 0, u3 = 3, disabled = 4, rx_detect = 5, polling = 7, resume = 15 };

/// What a port tells its controller.
class PortHost {
 public:
  /// A change bit of PORTSC went from 0 to 1 while none was set: a Port Status Change Event (§4.19.2).
  virtual void port_status_changed(unsigned port) = 0;
  /// The device is leaving the bus, unplugged or behind a port that is being disabled: slots must end what it holds.
  virtual void device_left(unsigned port) = 0;

 protected:
  ~PortHost() = default;
};

/// One root hub port (§4.19): the state machines of figures 4-25 (USB2) and 4-27 (USB3) as far as they are visible
/// between a guest and an adapter without a physical link, and its registers (§5.4.8 to §5.4.11).
///
/// Resets complete at once: there is no signalling to wait for. Link states U1 and U2, compliance and test modes do not
/// exist here. PPC is 0, so the port is always powered.
class Port {
 public:
  Port(unsigned number, PortProtocol protocol, RegisterFile& registers, std::uint32_t base, PortHost& host);

  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] PortProtocol protocol() const { return protocol_; }
  [[nodiscard]] Device* device() const { return device_; }
  [[nodiscard]] bool enabled() const;
  /// Counts what was plugged in: a slot of an earlier device has nothing to say to the one that is there now.
  [[nodiscard]] std::uint64_t attachment() const { return attachment_; }

  void attach(Device& device);
  void detach();
  /// Host controller reset: as after power-on, with whatever is plugged in (§4.2: "all the ports are reset").
  void reset();

 private:
  void on_portsc_write(const RegisterWrite& write);
  void reset_port(bool warm);
  void disable();
  void set_link_state(LinkState requested);
  void wake_up();
  void show_connection();
  void enter(LinkState state);
  void change(const Field& bit);
  [[nodiscard]] LinkState link_state() const;

  unsigned number_;
  PortProtocol protocol_;
  PortHost& host_;
  RegisterCell& portsc_;
  RegisterCell& portpmsc_;
  RegisterCell& portli_;
  RegisterCell& porthlpmc_;
  Device* device_ = nullptr;
  std::uint64_t attachment_ = 0;
};

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/device.hpp"
#include "usb/uhci/half_register.hpp"
#include "usb/uhci/registers.hpp"

namespace periplex::usb::uhci {

/// What a port tells its controller.
class PortHost {
 public:
  /// The port of `device` lets transactions through from now on; it was reset before.
  virtual void device_enabled(Device& device) = 0;
  /// No longer: the device is being reset, or its port was disabled.
  virtual void device_disabled(Device& device) = 0;
  /// The device is being unplugged; after this call nobody calls it any more.
  virtual void device_left(Device& device) = 0;
  /// A device was plugged in or out, or asks to be woken up.
  virtual void resume_signalled() = 0;

 protected:
  ~PortHost() = default;
};

/// One port of the root hub (UHCI Design Guide 1.1 §2.1.7).
///
/// Signalling takes no time here, so what a guest times itself (reset, resume) is over when it says so.
class Port {
 public:
  Port(unsigned number, HalfRegister portsc, PortHost& host);

  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] Device* device() const { return device_; }
  [[nodiscard]] bool enabled() const { return portsc_.test(portsc::PE); }
  /// Transactions reach the device.
  [[nodiscard]] bool passes() const;

  void attach(Device& device);
  void detach();
  /// Host controller reset, which the device does not notice.
  void reset_registers();
  /// Global reset, which it does.
  void reset();
  /// Global suspend and resume (§2.1.1 EGSM).
  void suspend_bus();
  void resume_bus();

  void on_write(const RegisterWrite& dword_write);

 private:
  void show_connection();
  void begin_reset();
  void enable();
  void disable();
  void wake_up();

  unsigned number_;
  HalfRegister portsc_;
  PortHost& host_;
  Device* device_ = nullptr;
  bool bus_suspended_ = false;
};

}  // namespace periplex::usb::uhci

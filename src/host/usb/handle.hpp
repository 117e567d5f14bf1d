// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <libusb-1.0/libusb.h>
#include <span>

namespace periplex::host {

/// One opened USB device in libusb's own calls and error codes (0 or a `LIBUSB_ERROR_…`): thin, so that tests can stand
/// in for hardware.
///
/// usbfs holds the device's lock for as long as a reset or a change of configuration lasts, seconds with a sick device,
/// and every other call for that device waits for it. So calls that may wait are made on another thread, one at a time;
/// while one is under way the loop neither submits nor handles the device's events (`pause`, `resume`).
class UsbHandle {
 public:
  virtual ~UsbHandle() = default;

  // On the loop, while no call of the second kind is under way.

  /// Starts `transfer`; its callback comes later, from the loop.
  virtual int submit(libusb_transfer& transfer) = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;

  // On another thread, while the loop leaves this alone.

  virtual int cancel(libusb_transfer& transfer) = 0;
  virtual int reset() = 0;
  /// bConfigurationValue; -1: none.
  virtual int set_configuration(int value) = 0;
  virtual int set_alternate_setting(std::uint8_t interface, std::uint8_t alternate_setting) = 0;
  virtual int clear_halt(std::uint8_t endpoint) = 0;
  /// How many streams each of `endpoints`, all of one interface, got.
  virtual int allocate_streams(std::uint32_t count, std::span<std::uint8_t> endpoints) = 0;
  virtual int claim(std::uint8_t interface) = 0;
  virtual int release(std::uint8_t interface) = 0;
  /// 1 if a driver of the kernel's has the interface.
  virtual int kernel_driver_active(std::uint8_t interface) = 0;
  virtual int detach_kernel_driver(std::uint8_t interface) = 0;
  virtual int attach_kernel_driver(std::uint8_t interface) = 0;
};

/// Where calls are made that may wait.
class CallThread {
 public:
  virtual ~CallThread() = default;
  /// Makes `call` elsewhere, then calls `done` with its result on the loop, never inside `run`.
  virtual void run(std::move_only_function<int()> call, std::move_only_function<void(int)> done) = 0;
};

}  // namespace periplex::host

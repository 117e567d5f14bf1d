// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/testing/fake_device.hpp"
#include "usb/xhci/controller.hpp"
#include "usb/xhci/testing/driver.hpp"

namespace periplex::usb::xhci::testing {

/// Counts what a controller does with its interrupts.
class RecordedSink final : public pci::InterruptSink {
 public:
  bool messages_enabled = true;
  bool pin = false;
  std::vector<unsigned> messages = std::vector<unsigned>(Options::kMaxInterrupters);
  std::function<void()> on_message = [] {};

  [[nodiscard]] bool message_signalled() const override { return messages_enabled; }
  void send_message(unsigned vector) override {
    ++messages.at(vector);
    on_message();
  }
  void set_pin(bool asserted) override { pin = asserted; }
};

/// A controller with RAM, virtual time and a driver, in one process: what the tests of this folder begin with.
class Rig : private RegisterAccess {
 public:
  static constexpr std::size_t kRamSize = 4u << 20;

  explicit Rig(const Driver::Options& driver_options = {}, const Options& options = {})
      : backing_(std::make_shared<guest::testing::VectorBacking>(kRamSize)),
        ram(backing_->bytes()),
        controller(options, map_ram(), interrupts, time),
        driver(static_cast<RegisterAccess&>(*this), ram, driver_options) {}

  /// An address where there is no memory.
  static constexpr GuestAddress kNowhere{0x1'0000'0000};

  [[nodiscard]] std::uint32_t read32(std::uint32_t offset) override { return read<std::uint32_t>(offset); }
  void write32(std::uint32_t offset, std::uint32_t value) override { write(offset, value); }
  void write64(std::uint32_t offset, std::uint64_t value) override { write(offset, value); }
  void wait() override { time.run_until_idle(500); }

  /// Any width of access.
  template <typename T>
  [[nodiscard]] T read(std::uint32_t offset) {
    T value;
    controller.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value));
    return value;
  }
  template <typename T>
  void write(std::uint32_t offset, T value) {
    controller.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }

  /// Plugs `device` in and resets its port, as a driver does on a connect event. Returns the port.
  unsigned plug(Device& device) {
    const unsigned port = controller.attach(device).value().value;
    driver.write_portsc(port, 1u << 9 | 1u << 4);  // PP, PR
    (void)driver.drain();
    driver.write_portsc(port, driver.portsc(port) & 0xfe'0200);  // clears the change bits
    return port;
  }
  /// As `plug`, and a slot that is addressed. Returns the slot.
  unsigned address(Device& device) {
    const unsigned port = plug(device);
    const unsigned slot = driver.enable_slot().slot;
    (void)driver.address_device(slot, port);
    return slot;
  }

  testing::RecordedSink interrupts;
  periplex::testing::VirtualTime time;
  guest::Memory memory;

 private:
  guest::Memory& map_ram() {
    (void)memory.map(GuestAddress(0), kRamSize, backing_, 0, true);
    return memory;
  }
  std::shared_ptr<guest::testing::VectorBacking> backing_;

 public:
  GuestRam ram;
  Controller controller;
  Driver driver;
};

}  // namespace periplex::usb::xhci::testing

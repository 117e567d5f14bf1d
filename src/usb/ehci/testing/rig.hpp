// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/ehci/controller.hpp"
#include "usb/ehci/testing/driver.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::usb::ehci::testing {

/// The controller's interrupt line.
class Pin final : public pci::InterruptSink {
 public:
  [[nodiscard]] bool message_signalled() const override { return false; }
  void send_message(unsigned) override {}
  void set_pin(bool asserted) override {
    raised += asserted && !high ? 1 : 0;
    high = asserted;
  }

  bool high = false;
  unsigned raised = 0;
};

/// Companion ports that remember what stands at them.
class FakeCompanion final : public CompanionPorts {
 public:
  void attach_at(PortNumber port, Device& device) override { devices[port.value] = &device; }
  [[nodiscard]] std::expected<PortNumber, AttachError> attach(Device&) override {
    return std::unexpected(AttachError::no_free_port);
  }
  void detach(Device& device) override {
    std::erase_if(devices, [&](const auto& entry) { return entry.second == &device; });
  }
  void for_each_endpoint(const Device&, const VisitEndpoint& visit) const override {
    visit(EndpointAddress(1, Direction::in), TransferType::interrupt, {});
  }

  std::map<unsigned, Device*> devices;
};

/// A controller with RAM, virtual time and a driver, in one process: what the tests of this folder begin with.
class Rig {
 public:
  static constexpr std::size_t kRamSize = 4u << 20;
  static constexpr unsigned kFirstAddress = 5;  // of the devices that `plug_addressed` brings up

  explicit Rig(const Options& options = {}, const std::vector<CompanionPort>& companions = {})
      : controller(options, companions, map_ram(), pin, time), driver(controller, memory) {}

  /// Plugs `device` in and resets its port, as a driver does on a connect event. Returns the port.
  unsigned plug(Device& device) {
    const unsigned port = controller.attach(device).value().value;
    driver.reset_port(port);
    return port;
  }
  /// As `plug`, and SET_ADDRESS.
  unsigned plug_addressed(usb::testing::FakeDevice& device) {
    plug(device);
    const unsigned address = kFirstAddress + addressed_++;
    const Driver::Queue queue = driver.add_queue({.address = 0, .endpoint = 0, .packet_size = 64});
    driver.control(queue, {.request = static_cast<std::uint8_t>(StandardRequest::set_address),
                           .value = static_cast<std::uint16_t>(address)});
    settle();
    driver.unlink(queue);
    settle();
    return address;
  }
  /// Lets everything happen that is due, and what `device` completes arrive.
  void settle(Nanoseconds duration = std::chrono::milliseconds(2)) { time.advance(duration); }

  void put(guest::GuestAddress at, ByteView bytes) { (void)memory.write(at, bytes); }
  [[nodiscard]] Bytes get(guest::GuestAddress at, std::size_t size) {
    Bytes bytes(size);
    (void)memory.read(at, bytes);
    return bytes;
  }
  /// `size` bytes that tell their places apart.
  [[nodiscard]] static Bytes pattern(std::size_t size, unsigned seed = 0) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 7 + i / 251 + seed) & 0xff);
    return bytes;
  }
  /// Completes the oldest transfer of `device` with `bytes`.
  static void answer(usb::testing::FakeDevice& device, ByteView bytes) {
    device.at(0).data.write(0, bytes);
    device.complete(Status::ok, static_cast<std::uint32_t>(bytes.size()));
  }

  Pin pin;
  periplex::testing::VirtualTime time;
  guest::Memory memory;

 private:
  guest::Memory& map_ram() {
    (void)memory.map(guest::GuestAddress(0), kRamSize, std::make_shared<guest::testing::VectorBacking>(kRamSize), 0,
                     true);
    return memory;
  }
  unsigned addressed_ = 0;

 public:
  Controller controller;
  Driver driver;
};

}  // namespace periplex::usb::ehci::testing

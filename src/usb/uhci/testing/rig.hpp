// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/testing/fake_device.hpp"
#include "usb/uhci/controller.hpp"
#include "usb/uhci/testing/driver.hpp"

namespace periplex::usb::uhci::testing {

/// The interrupt pin, and how often it rose.
class RecordedPin final : public pci::InterruptSink {
 public:
  bool asserted = false;
  unsigned rises = 0;

  [[nodiscard]] bool message_signalled() const override { return false; }
  void send_message(unsigned) override {}
  void set_pin(bool level) override {
    if (level && !asserted) ++rises;
    asserted = level;
  }
};

/// A controller with RAM, virtual time, a driver and a full-speed device, in one process.
class Rig {
 public:
  static constexpr std::uint64_t kRamSize = std::uint64_t{8} << 20;
  static constexpr GuestAddress kBuffer{0x40'0000};
  static constexpr unsigned kAddress = 5;
  static constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);

  explicit Rig(const Options& options = {}) : controller(options, *memory, pin, time) {}
  ~Rig() {
    if (attached_) controller.detach(device);
  }

  /// A running controller with the device behind port 1, at `kAddress`.
  void bring_up() {
    driver.start();
    plug();
    driver.enable_port(1);
    queue = driver.add_queue(driver.asynchronous());
    driver.queue_control(queue, 0, {.request = 5, .value = kAddress});
    time.advance(5 * kFrame);
    driver.clear_status(0x3f);
    driver.set_element(queue, Driver::kTerminate);
  }
  void plug() {
    (void)controller.attach(device);
    attached_ = true;
  }
  void unplug() {
    controller.detach(device);
    attached_ = false;
  }

  [[nodiscard]] static Packet packet(std::uint8_t pid, unsigned endpoint, std::uint32_t length) {
    return {.pid = pid, .device = kAddress, .endpoint = endpoint, .buffer = kBuffer, .length = length};
  }
  /// Bytes that differ from place to place.
  [[nodiscard]] static Bytes pattern(std::size_t size, unsigned seed = 1) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251 + seed);
    return bytes;
  }
  /// The device fills its oldest transfer with `bytes` and ends it.
  void answer(ByteView bytes, Status status = Status::ok) {
    device.at(0).data.write(0, bytes);
    device.complete(status, static_cast<std::uint32_t>(bytes.size()));
  }
  [[nodiscard]] EndpointCounters counters(EndpointAddress endpoint) const {
    EndpointCounters found;
    controller.for_each_endpoint(device, [&](EndpointAddress at, TransferType, const EndpointCounters& counted) {
      if (at == endpoint) found = counted;
    });
    return found;
  }

  periplex::testing::VirtualTime time;
  std::unique_ptr<guest::Memory> memory = guest::testing::make_ram(kRamSize);
  RecordedPin pin;
  usb::testing::FakeDevice device{time, Speed::full};
  Controller controller;
  Driver driver{controller, *memory};
  GuestAddress queue;

 private:
  bool attached_ = false;
};

}  // namespace periplex::usb::uhci::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>

#include "agent/agent.hpp"
#include "agent/testing/fake_gate.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::agent::testing {

/// A device that is open as long as this lives.
class OpenDevice final : public usb::Device {
 public:
  OpenDevice(usb::Device& device, unsigned& open) : device_(device), open_(open) { ++open_; }
  ~OpenDevice() override { --open_; }

  [[nodiscard]] usb::Speed speed() const override { return device_.speed(); }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override {
    return device_.endpoint_type(endpoint);
  }
  void submit(usb::TransferPtr transfer) override { device_.submit(std::move(transfer)); }
  void cancel(usb::TransferId id) override { device_.cancel(id); }
  void reset() override { device_.reset(); }
  void endpoint_opened(usb::EndpointAddress endpoint) override { device_.endpoint_opened(endpoint); }
  void set_wake_up(std::function<void()> wake_up) override { device_.set_wake_up(std::move(wake_up)); }

 private:
  usb::Device& device_;
  unsigned& open_;
};

/// A seat with keyboards, an agent and a gate, on one loop and in real time, as TLS is.
class Bench : public ::testing::Test {
 protected:
  struct Lent {
    unsigned open = 0;
    unsigned openings = 0;
    std::string trouble;  ///< why it cannot be opened
    std::function<void()> gone;
  };
  struct Keyboard : Lent {
    explicit Keyboard(const std::string& serial, Scheduler& scheduler) : device(serial, usb::Speed::full, scheduler) {}
    usb::device::HidKeyboard device;
  };
  struct Disk : Lent {
    static constexpr std::size_t kBlocks = 4096;
    Disk(std::unique_ptr<usb::device::testing::FakeBlock> block, Scheduler& scheduler)
        : medium(*block), device({.serial = "0123456789AB"}, usb::Speed::high, std::move(block), scheduler) {}
    usb::device::testing::FakeBlock& medium;
    usb::device::Storage device;
  };

  explicit Bench(Nanoseconds hold = std::chrono::seconds(60))
      : agent(loop, *link::TlsContext::make(link::testing::Certificates::get().for_agent()), gate,
              {.name = "desk",
               .served = {.instances = gate.instances.source(), .server = {.hold = hold}},
               .patience = {.first = std::chrono::milliseconds(5), .most = std::chrono::milliseconds(40)}}) {}
  ~Bench() override {
    for (const auto& [id, machine] : gate.machines) EXPECT_EQ(machine->failure, "");
    gate.machines.clear();
    run_for(std::chrono::milliseconds(10));  // what is to be destroyed later
  }

  /// Plugs a keyboard in; its id.
  std::string plug(const std::string& serial) {
    auto& keyboard = keyboards[serial];
    if (!keyboard) keyboard = std::make_unique<Keyboard>(serial, loop);
    return offers.arrived({.vendor = 1, .product = 2, .interface_classes = {3}, .serial_number = serial},
                          std::make_unique<Source>(*keyboard, keyboard->device));
  }
  /// Plugs the disk in.
  std::string plug_disk() {
    if (!disk) disk = std::make_unique<Disk>(std::make_unique<usb::device::testing::FakeBlock>(Disk::kBlocks), loop);
    return offers.arrived({.vendor = 1, .product = 3, .interface_classes = {8}, .serial_number = "disk"},
                          std::make_unique<Source>(*disk, disk->device));
  }
  bool run(const std::function<bool()>& done) { return link::testing::run_until(loop, done); }
  void run_for(Nanoseconds duration) {
    const Nanoseconds end = loop.now() + duration;
    while (loop.now() < end) loop.run_once(end - loop.now());
  }
  attachment::testing::Guest::Answer wait(Machine& machine, usb::TransferId id) {
    EXPECT_TRUE(run([&] { return machine.guest.answers.contains(id); }));
    return machine.guest.answers[id];
  }
  /// A machine that has the peripheral, and its first configuration set.
  Machine& attach(const std::string& id) {
    Machine& machine = gate.want(id);
    EXPECT_TRUE(run([&] { return machine.guest.device != nullptr; }));
    EXPECT_EQ(wait(machine, machine.guest.control({0x00, 9, 1, 0, 0})).status, usb::Status::ok);
    return machine;
  }

  EventLoop loop;
  std::map<std::string, std::unique_ptr<Keyboard>> keyboards;  // by serial number
  std::unique_ptr<Disk> disk;
  FakeGate gate{loop};
  Agent agent;
  seat::Offers offers{seat::Rules({{.action = seat::Action::deny, .match = {.serial_number = "secret"}},
                                   {.action = seat::Action::allow}}),
                      nullptr, agent};

 private:
  class Source final : public seat::Source {
   public:
    Source(Lent& lent, usb::Device& device) : lent_(lent), device_(device) {}
    void open(std::function<void()> gone, seat::OnOpened on_opened) override {
      if (!lent_.trouble.empty()) return on_opened(std::unexpected(lent_.trouble));
      ++lent_.openings;
      lent_.gone = std::move(gone);
      on_opened(std::make_unique<OpenDevice>(device_, lent_.open));
    }

   private:
    Lent& lent_;
    usb::Device& device_;
  };
};

}  // namespace periplex::agent::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attachment/device_server.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/simulated_link.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/device.hpp"

namespace periplex::attachment::testing {

/// A device that counts what it is asked.
class CountingDevice final : public usb::Device {
 public:
  explicit CountingDevice(usb::Device& device) : device_(device) {}

  std::map<usb::EndpointAddress, unsigned> submitted;
  std::vector<usb::SetupPacket> setups;
  unsigned cancels = 0, resets = 0, opened = 0;

  [[nodiscard]] usb::Speed speed() const override { return device_.speed(); }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override {
    return device_.endpoint_type(endpoint);
  }
  void submit(usb::TransferPtr transfer) override {
    ++submitted[transfer->endpoint()];
    if (transfer->setup) setups.push_back(*transfer->setup);
    device_.submit(std::move(transfer));
  }
  void cancel(usb::TransferId id) override {
    ++cancels;
    device_.cancel(id);
  }
  void reset() override {
    ++resets;
    device_.reset();
  }
  void endpoint_opened(usb::EndpointAddress endpoint) override {
    ++opened;
    device_.endpoint_opened(endpoint);
  }
  void suspend() override { device_.suspend(); }
  void resume() override { device_.resume(); }
  void set_wake_up(std::function<void()> wake_up) override { device_.set_wake_up(std::move(wake_up)); }

 private:
  usb::Device& device_;
};

/// A guest's driver: submits transfers, and keeps what comes back.
class Guest final : public usb::TransferOwner {
 public:
  struct Answer {
    usb::Status status = usb::Status::error;
    std::uint32_t actual = 0;
    Bytes data;  ///< guest-bound: what was moved; isochronous: all of the room
    std::vector<usb::IsochronousPacket> packets;
    Nanoseconds at{};
  };

  explicit Guest(Scheduler& scheduler) : scheduler_(scheduler) {}

  usb::Device* device = nullptr;
  std::map<usb::TransferId, Answer> answers;
  std::vector<usb::TransferId> order;
  bool completed_inside_submit = false;
  unsigned doubled = 0;
  std::function<void(usb::TransferId)> on_answer = [](usb::TransferId) {};

  [[nodiscard]] std::size_t outstanding() const { return submitted_ - order.size(); }

  usb::TransferId submit(usb::EndpointAddress endpoint, usb::TransferData data, std::optional<usb::SetupPacket> setup,
                         std::uint16_t stream = 0, std::vector<usb::IsochronousPacket> packets = {}) {
    const usb::TransferId id(++submitted_);
    const usb::Direction direction = setup ? setup->direction() : endpoint.direction();
    auto transfer = std::make_unique<usb::Transfer>(*this, id, endpoint, direction, std::move(data));
    transfer->setup = setup;
    transfer->stream = stream;
    transfer->packets = std::move(packets);
    inside_ = true;
    device->submit(std::move(transfer));
    inside_ = false;
    return id;
  }
  usb::TransferId in(std::uint8_t endpoint, std::size_t room, std::uint16_t stream = 0) {
    return submit(usb::EndpointAddress(endpoint), usb::TransferData::room(room), std::nullopt, stream);
  }
  usb::TransferId out(std::uint8_t endpoint, Bytes data, std::uint16_t stream = 0) {
    return submit(usb::EndpointAddress(endpoint), usb::TransferData::owned(std::move(data)), std::nullopt, stream);
  }
  usb::TransferId control(const usb::SetupPacket& setup, Bytes data = {}) {
    const bool in = setup.direction() == usb::Direction::in;
    return submit({}, in ? usb::TransferData::room(setup.length) : usb::TransferData::owned(std::move(data)), setup);
  }
  /// One packet for each of `sizes`.
  usb::TransferId isochronous(std::uint8_t endpoint, const std::vector<std::uint32_t>& sizes, Bytes data = {}) {
    std::vector<usb::IsochronousPacket> packets;
    std::uint32_t total = 0;
    for (const std::uint32_t size : sizes)
      packets.push_back({.offset = std::exchange(total, total + size), .length = size});
    const bool in = usb::EndpointAddress(endpoint).direction() == usb::Direction::in;
    return submit(usb::EndpointAddress(endpoint),
                  in ? usb::TransferData::room(total) : usb::TransferData::owned(std::move(data)), std::nullopt, 0,
                  std::move(packets));
  }

  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    if (inside_) completed_inside_submit = true;
    if (answers.contains(transfer->id())) ++doubled;
    const bool in = transfer->direction() == usb::Direction::in;
    const std::size_t size = transfer->packets.empty() ? completion.actual : transfer->data.size();
    answers[transfer->id()] = {.status = completion.status,
                               .actual = completion.actual,
                               .data = in ? transfer->data.copy(size) : Bytes{},
                               .packets = transfer->packets,
                               .at = scheduler_.now()};
    order.push_back(transfer->id());
    on_answer(transfer->id());
  }

 private:
  Scheduler& scheduler_;
  std::uint64_t submitted_ = 0;
  bool inside_ = false;
};

/// A device behind a `DeviceServer`, a `RemotePeripheral` in front of a guest, and a link between them.
class Attached {
 public:
  explicit Attached(usb::Device& real, periplex::testing::VirtualTime& virtual_time, Nanoseconds delay = Nanoseconds(0),
                    std::uint32_t seed = 1, const PeripheralOptions& options = {})
      : time(virtual_time),
        link(virtual_time, delay, seed),
        device(real),
        guest(virtual_time),
        random(seed),
        worker(*this),
        agent(*this) {
    peripheral = std::make_unique<RemotePeripheral>(worker, time, instances.source(), options);
    link.ends[0] = {.connected = [this] { peripheral->connected(); },
                    .receive = [this](ByteView bytes) { peripheral->receive(bytes); },
                    .disconnected = [this] { peripheral->disconnected(); }};
    start_agent();
  }
  ~Attached() {
    // Devices complete what they hold while there is still somebody to take it.
    peripheral.reset();
    server.reset();
    device.reset();
    time.run_until_idle();
  }

  void start_agent() {
    server = std::make_unique<DeviceServer>(device, "unit", agent, time, instances.source());
    link.ends[1] = {.connected = [this] { server->connected(); },
                    .receive = [this](ByteView bytes) { server->receive(bytes); },
                    .disconnected = [this] { server->disconnected(); }};
  }
  /// The agent dies and comes again, on a new connection.
  void restart_agent() {
    link.cut();
    server.reset();
    time.run_until_idle();
    start_agent();
  }

  void connect() {
    link.connect();
    time.advance(4 * link.delay + std::chrono::seconds(1));
  }

  /// One millisecond, in which the connection may be cut, or come back.
  void step() {
    time.advance(std::chrono::milliseconds(1));
    if (!chaos) return;
    if (link.up() && random() % cut_every == 0) {
      link.cut();
      down_for = 1 + random() % 300;
    } else if (!link.up() && --down_for == 0) {
      link.connect();
    }
  }
  Guest::Answer wait(usb::TransferId id, unsigned most = 30'000) {
    for (unsigned i = 0; i < most && !guest.answers.contains(id); ++i) step();
    const auto found = guest.answers.find(id);
    return found == guest.answers.end() ? Guest::Answer{} : found->second;
  }
  Guest::Answer control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                        std::uint16_t length, Bytes data = {}) {
    return wait(guest.control({type, request, value, index, length}, std::move(data)));
  }
  /// As a guest does it: reset, descriptors, configuration.
  void enumerate() {
    guest.device->reset();
    (void)control(0x80, 6, 0x0100, 0, 18);
    (void)control(0x00, 5, 3, 0, 0);
    (void)control(0x80, 6, 0x0200, 0, 1024);
    (void)control(0x00, 9, 1, 0, 0);
  }

  struct Worker final : remote::SessionHost {
    explicit Worker(Attached& a) : attached(a) {}
    void send(Bytes bytes) override { attached.link.send(0, std::move(bytes)); }
    void device_arrived(usb::Device& arrived) override {
      ++arrivals;
      attached.guest.device = &arrived;
    }
    void device_left(usb::Device&) override {
      ++departures;
      attached.guest.device = nullptr;
    }
    void session_failed(std::string why) override { failure = std::move(why); }
    Attached& attached;
    unsigned arrivals = 0, departures = 0;
    std::string failure;
  };
  struct Agent final : ServerHost {
    explicit Agent(Attached& a) : attached(a) {}
    void send(Bytes bytes) override { attached.link.send(1, std::move(bytes)); }
    void worker_arrived() override { ++arrivals; }
    void worker_left() override { ++departures; }
    void server_failed(std::string why) override { failure = std::move(why); }
    Attached& attached;
    unsigned arrivals = 0, departures = 0;
    std::string failure;
  };

  periplex::testing::VirtualTime& time;
  SimulatedLink link;
  CountingDevice device;
  Guest guest;
  std::mt19937 random;
  CountedInstances instances;
  Worker worker;
  Agent agent;
  std::unique_ptr<RemotePeripheral> peripheral;
  std::unique_ptr<DeviceServer> server;
  bool chaos = false;
  unsigned cut_every = 40;
  unsigned long down_for = 0;
};

}  // namespace periplex::attachment::testing

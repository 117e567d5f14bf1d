// SPDX-License-Identifier: Apache-2.0
// The whole way: a device at an agent, two TLS connections, the gate, a worker's stream, and a guest's driver; and the
// connections are cut.
#include <gtest/gtest.h>
#include <random>

#include "attachment/device_server.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/attached.hpp"
#include "gate/testing/fake_worker.hpp"
#include "gate/testing/host.hpp"
#include "loop/byte_stream.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::gate {
namespace {

using namespace std::chrono_literals;
using attachment::testing::Guest;
using link::testing::Certificates;
using testing::Agent;
using testing::FakeWorker;
using testing::Host;
using usb::device::HidKeyboard;
using usb::device::KeyUsage;

/// A peripheral at an agent, and its DeviceServer on the agent's channel.
class Served final : public attachment::ServerHost {
 public:
  Served(Agent& agent, std::string id, usb::Device& device, EventLoop& loop, attachment::InstanceSource instances)
      : server(device, id, *this, loop, std::move(instances)), agent_(agent), id_(std::move(id)) {}

  void started(link::ChannelId channel) {
    if (connected_) stopped();
    channel_ = channel;
    connected_ = true;
    unsent_.clear();
    server.connected();
  }
  void stopped() {
    if (std::exchange(connected_, false)) server.disconnected();
  }
  void flush() {
    const std::size_t sent = agent_.session->send(channel_, unsent_);
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
  }
  void send(Bytes bytes) override {
    unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
    if (connected_) flush();
  }
  void server_failed(std::string why) override { failure = std::move(why); }

  std::string failure;
  attachment::DeviceServer server;

 private:
  Agent& agent_;
  const std::string id_;
  link::ChannelId channel_;
  bool connected_ = false;
  Bytes unsent_;
};

/// A peripheral in a machine, and a guest's driver of it.
class Plugged final : public remote::SessionHost {
 public:
  Plugged(EventLoop& loop, const std::string& id, attachment::InstanceSource instances)
      : guest(loop), peripheral(*this, loop, std::move(instances), {.unique_id = id}), loop_(loop) {}

  void take(UniqueFd socket) {
    if (stream_) lost();
    stream_ = std::make_unique<ByteStream>(
        loop_, std::move(socket),
        ByteStream::Events{[this](ByteView bytes) { peripheral.receive(bytes); }, [this](std::string) { lost(); }, {}});
    ++streams;
    peripheral.connected();
  }
  void send(Bytes bytes) override {
    if (stream_) stream_->send(std::move(bytes));
  }
  void device_arrived(usb::Device& device) override {
    ++arrivals;
    guest.device = &device;
  }
  void device_left(usb::Device&) override {
    ++departures;
    guest.device = nullptr;
  }
  void session_failed(std::string why) override { failure = std::move(why); }

  unsigned arrivals = 0, departures = 0, streams = 0;
  std::string failure;
  Guest guest;
  attachment::RemotePeripheral peripheral;

 private:
  void lost() {
    loop_.defer([old = std::move(stream_)] {});
    peripheral.disconnected();
  }
  EventLoop& loop_;
  std::unique_ptr<ByteStream> stream_;
};

class EndToEnd : public ::testing::Test {
 protected:
  EndToEnd() {
    host.add_machine("vm1", worker.path);
    host.bind("desk", "*", "vm1");
    agent.on_started = [this](const std::string& id, link::ChannelId channel) { served.at(id)->started(channel); };
    agent.on_stopped = [this](const std::string& id) { served.at(id)->stopped(); };
    agent.on_data = [this](const std::string& id, ByteView bytes) { served.at(id)->server.receive(bytes); };
    agent.on_writable = [this](const std::string& id, link::ChannelId) { served.at(id)->flush(); };
    worker.on_stream = [this](const std::string& id, UniqueFd stream) { plugged.at(id)->take(std::move(stream)); };
  }
  ~EndToEnd() override {
    for (const auto& [id, one] : plugged) {
      EXPECT_EQ(one->failure, "");
      // It knows what was the test body's, and what still waits is answered below.
      one->guest.on_answer = [](usb::TransferId) {};
    }
    for (const auto& [id, one] : served) EXPECT_EQ(one->failure, "");
    worker.on_stream = [](const std::string&, UniqueFd) {};
    plugged.clear();
    agent.on_started = nullptr;
    agent.on_stopped = nullptr;
    agent.on_data = nullptr;
    agent.on_writable = nullptr;
    served.clear();
    host.run_for(10ms);
  }

  template <typename Device>
  Device& own(std::unique_ptr<Device> device) {
    Device& made = *device;
    devices.push_back(std::move(device));
    return made;
  }
  /// `device` is at the seat and goes into the machine.
  Plugged& plug_in(const std::string& id, usb::Device& device, link::Peripheral peripheral) {
    peripheral.id = id;
    served[id] = std::make_unique<Served>(agent, id, device, host.loop, instances.source());
    auto& one = plugged["desk/" + id];
    one = std::make_unique<Plugged>(host.loop, id, instances.source());
    EXPECT_TRUE(agent.session->offer(peripheral));
    worker.want("desk/" + id);
    agent.connect();
    EXPECT_TRUE(host.run([&] { return one->guest.device != nullptr; })) << host.state_of("desk", id);
    return *one;
  }
  /// Cuts the connections, and sometimes the worker's stream, at random moments; they come back a little later.
  void make_trouble() {
    if (host.loop.now() < next_trouble_) return;
    next_trouble_ = host.loop.now() + std::chrono::milliseconds(20 + random() % 60);
    if (down_) {
      agent.connect();
    } else {
      agent.cut();
      ++cuts;
    }
    down_ = !down_;
  }
  void calm() {
    if (std::exchange(down_, false)) agent.connect();
  }
  Guest::Answer wait(Plugged& one, usb::TransferId id) {
    EXPECT_TRUE(host.run([&] {
      if (trouble) make_trouble();
      return one.guest.answers.contains(id);
    }));
    return one.guest.answers[id];
  }

  Host host;
  std::vector<std::unique_ptr<usb::Device>> devices;  // outlive those who serve them
  FakeWorker worker{host.loop, "vm1"};
  Agent agent{host.loop, host.port, Certificates::get().for_agent()};
  attachment::testing::CountedInstances instances;
  std::map<std::string, std::unique_ptr<Served>> served;
  std::map<std::string, std::unique_ptr<Plugged>> plugged;
  std::mt19937 random{7};
  bool trouble = false;
  unsigned cuts = 0;

 private:
  Nanoseconds next_trouble_{};
  bool down_ = false;
};

TEST_F(EndToEnd, EveryKeyArrivesOnceThoughTheConnectionsAreCut) {
  auto& keyboard = own(std::make_unique<HidKeyboard>("keys", usb::Speed::full, host.loop));
  Plugged& keys = plug_in("keys", keyboard, {.kind = link::Kind::input, .device_class = 3});
  const auto configured = keys.guest.control({0x00, 9, 1, 0, 0});
  EXPECT_EQ(wait(keys, configured).status, usb::Status::ok);
  std::string seen;
  usb::TransferId poll = keys.guest.in(0x81, HidKeyboard::kReportSize);
  keys.guest.on_answer = [&](usb::TransferId id) {
    if (id != poll || keys.guest.answers[id].status != usb::Status::ok) return;
    seen += hex(keys.guest.answers[id].data) + "\n";
    poll = keys.guest.in(0x81, HidKeyboard::kReportSize);
  };
  trouble = true;
  std::string typed;
  for (unsigned i = 0; i < 40; ++i) {
    const auto usage = static_cast<std::uint8_t>(4 + i % 26);
    ASSERT_TRUE(keyboard.press(KeyUsage{usage}));
    keyboard.release(KeyUsage{usage});
    Bytes report(HidKeyboard::kReportSize);
    report[2] = std::byte{usage};
    typed += hex(report) + "\n" + hex(Bytes(HidKeyboard::kReportSize)) + "\n";
    const Nanoseconds end = host.loop.now() + 30ms;
    while (host.loop.now() < end) {
      make_trouble();
      host.loop.run_once(5ms);
    }
  }
  trouble = false;
  calm();
  EXPECT_TRUE(host.run([&] { return seen.size() >= typed.size(); }));
  EXPECT_EQ(seen, typed);
  EXPECT_GE(cuts, 5U);
  EXPECT_GE(keys.streams, cuts);
  EXPECT_EQ(keys.arrivals, 1U);
  EXPECT_EQ(keys.departures, 0U) << keys.peripheral.state().why;
}

TEST_F(EndToEnd, ADiskHasEveryByteThoughTheConnectionsAreCut) {
  constexpr std::uint32_t kBlocks = 2048;
  constexpr std::size_t kSize = std::size_t{512} * 512;
  auto medium = std::make_unique<usb::device::testing::FakeBlock>(kBlocks);
  auto& storage = own(std::make_unique<usb::device::Storage>(usb::device::StorageOptions{.serial = "0123456789ABCDEF"},
                                                             usb::Speed::super, std::move(medium), host.loop));
  Plugged& disk = plug_in("disk", storage, {.kind = link::Kind::usb, .device_class = 8});
  EXPECT_EQ(wait(disk, disk.guest.control({0x00, 9, 1, 0, 0})).status, usb::Status::ok);
  const auto command = [&](const Bytes& cdb, std::uint32_t length, bool in, Bytes data) {
    ByteWriter cbw;
    cbw.le32(usb::device::CommandBlockWrapper::kSignature).le32(1).le32(length).u8(in ? 0x80 : 0).u8(0);
    cbw.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    (void)wait(disk, disk.guest.out(0x02, cbw.take()));
    Bytes got;
    if (length > 0) got = wait(disk, in ? disk.guest.in(0x81, length) : disk.guest.out(0x02, std::move(data))).data;
    (void)wait(disk, disk.guest.in(0x81, 13));
    return got;
  };
  const auto read_write = [](bool write, std::uint32_t block) {
    return ByteWriter().u8(write ? 0x2a : 0x28).u8(0).be32(block).u8(0).be16(kSize / 512).u8(0).take();
  };
  (void)command({std::byte{0}}, 0, true, {});
  (void)command({std::byte{3}, {}, {}, {}, std::byte{18}}, 18, true, {});
  trouble = true;
  // A fast machine has moved all of the first blocks before there is much trouble.
  for (unsigned i = 0; i < 12 || (cuts < 5 && i < 500); ++i) {
    Bytes data(kSize);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random());
    const std::uint32_t block = random() % (kBlocks - 512);
    (void)command(read_write(true, block), kSize, false, data);
    EXPECT_TRUE(command(read_write(false, block), kSize, true, {}) == data) << i;
  }
  trouble = false;
  calm();
  EXPECT_GE(cuts, 3U);
  EXPECT_EQ(disk.guest.doubled, 0U);
  EXPECT_EQ(disk.departures, 0U) << disk.peripheral.state().why;
}

}  // namespace
}  // namespace periplex::gate

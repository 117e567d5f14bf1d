// SPDX-License-Identifier: Apache-2.0
// A hostile agent against a worker with a guest, or a hostile worker against an agent with a device. The far side may
// greet and number its messages well, so that what is inside is reached. Every transfer of the guest must come back
// exactly once, and so must every transfer that the device was given.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "attachment/device_server.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/attached.hpp"
#include "attachment/testing/scripted_peer.hpp"
#include "base/check.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::attachment {
namespace {

using testing::Guest;
using testing::ScriptedPeer;
using usb::EndpointAddress;

constexpr std::size_t kMostOutstanding = 64;

Bytes take(ByteReader& input, std::size_t most) {
  const ByteView bytes = input.take(std::min(input.remaining(), most));
  return Bytes(bytes.begin(), bytes.end());
}

/// What both scenarios have: a far side that says what the input says.
class Scenario {
 public:
  explicit Scenario(ByteReader& input) : input_(input) {}
  virtual ~Scenario() = default;
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  void run() {
    while (input_.ok() && input_.remaining() > 0) step(input_.u8());
    finish();
  }

 protected:
  virtual void connect() = 0;
  virtual void disconnect() = 0;
  virtual void act(std::uint8_t what) = 0;
  virtual void finish() = 0;

  void step(std::uint8_t what) {
    switch (what & 7) {
      case 0:
        return peer_->say(take_message());
      case 1:
        return peer_->raw(take(input_, input_.u8()));
      case 2:
        if (what & 8) return peer_->greet();
        return peer_->frame(static_cast<FrameKind>(what >> 4), take(input_, input_.u8()));
      case 3:
        return what & 8 ? connect() : disconnect();
      case 4:
        time_.advance(Microseconds(std::uint32_t{input_.u8()} << (what >> 4)));
        return;
      case 5:
        peer_->acknowledges = (what & 8) != 0;
        return;
      default:
        return act(what);
    }
  }
  /// A type, and what follows; never empty.
  Bytes take_message() {
    const std::size_t size = std::size_t{input_.u8()} + 1;
    Bytes message = take(input_, size);
    if (message.empty()) message.push_back(std::byte{0});
    return message;
  }

  ByteReader& input_;
  periplex::testing::VirtualTime time_;
  testing::CountedInstances instances_;
  std::unique_ptr<ScriptedPeer> peer_;
};

class HostileAgent final : public Scenario, public remote::SessionHost {
 public:
  explicit HostileAgent(ByteReader& input) : Scenario(input) {
    peripheral_ = std::make_unique<RemotePeripheral>(*this, time_, instances_.source());
    peer_ = std::make_unique<ScriptedPeer>([this](ByteView bytes) { peripheral_->receive(bytes); });
    peripheral_->connected();
  }

 private:
  void connect() override {
    disconnect();
    peripheral_->connected();
  }
  void disconnect() override { peripheral_->disconnected(); }
  void act(std::uint8_t what) override {
    if (guest_.device == nullptr) return;
    const std::uint8_t endpoint = input_.u8() & 0x83;
    const bool room = guest_.outstanding() < kMostOutstanding;
    switch (what >> 4) {
      case 0:
        return guest_.device->reset();
      case 1:
        return guest_.device->cancel(usb::TransferId(input_.u8()));
      case 2:
        return guest_.device->endpoint_opened(EndpointAddress(endpoint));
      case 3:
        return what & 8 ? guest_.device->suspend() : guest_.device->resume();
      case 4:
        if (room) (void)guest_.isochronous(endpoint, {input_.u8(), input_.u8()}, Bytes(512));
        return;
      case 5:
      case 6:
      case 7:
        if (room) (void)guest_.control(usb::SetupPacket::parse(input_.le64()), Bytes(input_.u8()));
        return;
      default:
        if (!room) return;
        if ((endpoint & 0x80) != 0) {
          (void)guest_.in(endpoint, input_.u8(), what & 8 ? 1 : 0);
        } else {
          (void)guest_.out(endpoint, Bytes(input_.u8()));
        }
    }
  }
  void finish() override {
    peripheral_.reset();
    time_.run_until_idle();
    PERIPLEX_CHECK(guest_.outstanding() == 0 && guest_.doubled == 0 && !guest_.completed_inside_submit);
  }

  void send(Bytes bytes) override { peer_->hear(bytes); }
  void device_arrived(usb::Device& device) override {
    PERIPLEX_CHECK(guest_.device == nullptr);
    guest_.device = &device;
  }
  void device_left(usb::Device& device) override {
    PERIPLEX_CHECK(guest_.device == &device);
    guest_.device = nullptr;
  }
  void session_failed(std::string) override { PERIPLEX_CHECK(guest_.device == nullptr); }

  Guest guest_{time_};
  std::unique_ptr<RemotePeripheral> peripheral_;
};

class HostileWorker final : public Scenario, public ServerHost {
 public:
  explicit HostileWorker(ByteReader& input) : Scenario(input) {
    peer_ = std::make_unique<ScriptedPeer>([this](ByteView bytes) { server_->receive(bytes); });
    server_ = std::make_unique<DeviceServer>(*device_, "unit", *this, time_, instances_.source());
    server_->connected();
  }

 private:
  void connect() override {
    disconnect();
    server_->connected();
  }
  void disconnect() override { server_->disconnected(); }
  void act(std::uint8_t what) override {
    if (device_->held() == 0) return;
    const std::size_t index = input_.u8() % device_->held();
    usb::Transfer& transfer = device_->at(index);
    const Bytes answer = take(input_, input_.u8());
    const std::size_t moved = transfer.direction() == usb::Direction::in
                                  ? transfer.data.write(0, answer)
                                  : std::min<std::size_t>(transfer.data.size(), 9);
    for (usb::IsochronousPacket& packet : transfer.packets) packet.actual = input_.u8();
    device_->complete_at(index, {static_cast<usb::Status>((what >> 4) % 6), static_cast<std::uint32_t>(moved)});
  }
  void finish() override {
    if (input_.ok()) server_->device_gone("unplugged");
    server_.reset();
    device_.reset();
    time_.run_until_idle();
  }

  void send(Bytes bytes) override { peer_->hear(bytes); }
  void server_failed(std::string) override {}

  std::unique_ptr<usb::testing::FakeDevice> device_ =
      std::make_unique<usb::testing::FakeDevice>(time_, usb::Speed::high);
  std::unique_ptr<DeviceServer> server_;
};

}  // namespace
}  // namespace periplex::attachment

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  ByteReader input(std::as_bytes(std::span(data, size)));
  if ((input.u8() & 1) != 0) {
    attachment::HostileAgent(input).run();
  } else {
    attachment::HostileWorker(input).run();
  }
  return 0;
}

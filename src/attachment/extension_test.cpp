// SPDX-License-Identifier: Apache-2.0
#include "attachment/extension.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "attachment/device_server.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/simulated_link.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;

constexpr std::byte kType{0x40};

/// The worker's half: shows a device of its own.
struct Asker final : PeripheralExtension {
  [[nodiscard]] bool begin(const Describe& description, PeripheralLink& l) override {
    described = description.unique_id;
    link = &l;
    if (at_once) l.show(instead);
    return true;
  }
  [[nodiscard]] std::uint32_t capabilities() const override { return kCapabilityStorageCommands; }
  [[nodiscard]] Verdict on_message(ByteView message) override {
    answers.emplace_back(as_text(message.subspan(1)));
    return {};
  }
  void on_held() override { ++held; }
  void on_resumed() override { ++resumed; }
  void end() override { link = nullptr; }

  usb::Device* instead = nullptr;
  bool at_once = true;
  PeripheralLink* link = nullptr;
  std::string described;
  std::vector<std::string> answers;
  unsigned held = 0, resumed = 0;
};

/// The agent's half: answers each message, and counts.
struct Answerer final : ServerExtension {
  [[nodiscard]] std::uint32_t capabilities() const override { return kCapabilityStorageCommands; }
  void begin(ExtensionLink& l, Requests&) override { link = &l; }
  [[nodiscard]] Verdict on_message(ByteView message) override {
    asked.emplace_back(as_text(message.subspan(1)));
    link->send(Bytes(message.begin(), message.end()));
    return {};
  }
  void end() override { link = nullptr; }

  ExtensionLink* link = nullptr;
  std::vector<std::string> asked;
};

class ExtensionTest : public ::testing::Test, public remote::SessionHost {
 protected:
  ExtensionTest() {
    asker_.instead = &own_;
    server_ = std::make_unique<DeviceServer>(keyboard_, "unit", to_worker_, time_, instances_.source(), ServerOptions{},
                                             &answerer_);
    link_.ends[0] = {.connected = [this] { peripheral_.connected(); },
                     .receive = [this](ByteView bytes) { peripheral_.receive(bytes); },
                     .disconnected = [this] { peripheral_.disconnected(); }};
    link_.ends[1] = {.connected = [this] { server_->connected(); },
                     .receive = [this](ByteView bytes) { server_->receive(bytes); },
                     .disconnected = [this] { server_->disconnected(); }};
    link_.connect();
    time_.advance(1s);
  }
  void send(Bytes bytes) override { link_.send(0, std::move(bytes)); }
  void device_arrived(usb::Device& device) override { shown_ = &device; }
  void device_left(usb::Device& device) override {
    EXPECT_EQ(shown_, &device);
    shown_ = nullptr;
  }
  void session_failed(std::string why) override { ADD_FAILURE() << why; }

  struct ToWorker final : ServerHost {
    explicit ToWorker(testing::SimulatedLink& l) : link(l) {}
    void send(Bytes bytes) override { link.send(1, std::move(bytes)); }
    void server_failed(std::string why) override { ADD_FAILURE() << why; }
    testing::SimulatedLink& link;
  };

  periplex::testing::VirtualTime time_;
  testing::SimulatedLink link_{time_, 5ms, 4};
  testing::CountedInstances instances_;
  usb::device::HidKeyboard keyboard_{"keys", usb::Speed::full, time_};
  usb::testing::FakeDevice own_{time_, usb::Speed::high};
  Asker asker_;
  Answerer answerer_;
  ToWorker to_worker_{link_};
  usb::Device* shown_ = nullptr;
  RemotePeripheral peripheral_{*this, time_, instances_.source(), {}, &asker_};
  std::unique_ptr<DeviceServer> server_;
};

TEST_F(ExtensionTest, TheGuestSeesTheExtensionsDevice) {
  EXPECT_EQ(shown_, &own_);
  EXPECT_EQ(asker_.described, "unit");
}

TEST_F(ExtensionTest, ADeviceThatIsGivenUpIsUnpluggedAndDescribedAnewByTheSameAgent) {
  asker_.at_once = false;
  asker_.link->give_up("it does not work");
  EXPECT_EQ(shown_, &own_) << "not from inside";
  time_.advance(1ms);
  EXPECT_EQ(shown_, nullptr);
  EXPECT_EQ(asker_.link, nullptr);
  time_.advance(1s);
  ASSERT_NE(asker_.link, nullptr);
  EXPECT_EQ(shown_, nullptr) << "the extension has not said what the guest is to see";
  asker_.link->show(nullptr);
  EXPECT_NE(shown_, nullptr);
  EXPECT_NE(shown_, &own_);
}

TEST_F(ExtensionTest, ItsMessagesArriveOnceThoughTheConnectionIsCut) {
  std::mt19937 random(2);
  std::vector<std::string> asked;
  for (unsigned i = 0; i < 1000; ++i) {
    asked.push_back(std::to_string(i));
    Bytes message{kType};
    for (const std::byte each : as_bytes(asked.back())) message.push_back(each);
    ASSERT_NE(asker_.link, nullptr);
    asker_.link->send(std::move(message));
    time_.advance(Microseconds(random() % 4000));
    if (random() % 6 == 0) link_.cut();
    if (!link_.up() && random() % 2 == 0) link_.connect();
  }
  if (!link_.up()) link_.connect();
  time_.advance(1s);
  EXPECT_EQ(answerer_.asked, asked);
  EXPECT_EQ(asker_.answers, asked);
  EXPECT_EQ(asker_.held, asker_.resumed);
  EXPECT_GT(link_.cuts, 80u);
}

TEST_F(ExtensionTest, ItEndsWithTheSession) {
  link_.cut();
  time_.advance(30s);
  EXPECT_EQ(asker_.link, nullptr);
  EXPECT_EQ(shown_, nullptr);
  link_.connect();
  time_.advance(1s);
  EXPECT_NE(asker_.link, nullptr);
  EXPECT_EQ(shown_, &own_);
}

}  // namespace
}  // namespace periplex::attachment

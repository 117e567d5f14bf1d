// SPDX-License-Identifier: Apache-2.0
// Whole devices behind a DeviceServer, in front of a RemotePeripheral, over a link that has a delay and is cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "attachment/limits.hpp"
#include "attachment/testing/attached.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/bulk_only_host.hpp"
#include "usb/device/testing/fake_block.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using testing::Attached;
using testing::Guest;
using usb::Speed;
using usb::Status;
using usb::device::HidKeyboard;
using usb::device::KeyUsage;
using usb::device::Storage;
using usb::device::testing::BulkOnlyHost;
using usb::device::testing::FakeBlock;
using usb::device::testing::UasHost;

constexpr std::uint8_t kKeyboardIn = 0x81;

class KeyboardTest : public ::testing::Test {
 protected:
  void plug_in(Nanoseconds delay, std::uint32_t seed = 1) {
    attached_ = std::make_unique<Attached>(keyboard_, time_, delay, seed);
    attached_->connect();
    ASSERT_NE(attached_->guest.device, nullptr) << attached_->worker.failure << attached_->agent.failure;
    attached_->enumerate();
  }
  /// The guest always has a transfer on the interrupt endpoint.
  void listen() {
    attached_->guest.on_answer = [this](usb::TransferId id) {
      const Guest::Answer& answer = attached_->guest.answers.at(id);
      if (id != poll_ || answer.status != Status::ok) return;
      reports_.push_back(hex(answer.data));
      report_times_.push_back(answer.at);
      poll_ = attached_->guest.in(kKeyboardIn, HidKeyboard::kReportSize);
    };
    poll_ = attached_->guest.in(kKeyboardIn, HidKeyboard::kReportSize);
  }
  /// Presses and releases a key; what the guest must see of it.
  void type(unsigned usage) {
    ASSERT_TRUE(keyboard_.press(KeyUsage{static_cast<std::uint8_t>(usage)}));
    keyboard_.release(KeyUsage{static_cast<std::uint8_t>(usage)});
    typed_.push_back(hex(Bytes{std::byte{0}, std::byte{0}, static_cast<std::byte>(usage), std::byte{0}, std::byte{0},
                               std::byte{0}, std::byte{0}, std::byte{0}}));
    typed_.push_back(hex(Bytes(HidKeyboard::kReportSize)));
  }

  periplex::testing::VirtualTime time_;
  HidKeyboard keyboard_{"keys", Speed::high, time_};
  std::unique_ptr<Attached> attached_;
  usb::TransferId poll_;
  std::vector<std::string> typed_, reports_;
  std::vector<Nanoseconds> report_times_;
};

TEST_F(KeyboardTest, AKeyArrivesOneWayAfterItWasPressed) {
  plug_in(25ms);
  listen();
  time_.advance(1s);
  for (unsigned i = 0; i < 20; ++i) {
    time_.advance(Microseconds(97'300));
    const Nanoseconds pressed = time_.now();
    type(4 + i);
    time_.advance(200ms);
    ASSERT_EQ(reports_.size(), 2 * (i + 1));
    EXPECT_EQ(report_times_[2 * i] - pressed, 25ms);
  }
  EXPECT_EQ(reports_, typed_);
}

TEST_F(KeyboardTest, ABurstFasterThanARoundTripArrivesWhole) {
  plug_in(25ms);
  listen();
  time_.advance(1s);
  const Nanoseconds begin = time_.now();
  for (unsigned i = 0; i < 60; ++i) type(4 + i % 60);
  time_.advance(3s);
  EXPECT_EQ(reports_, typed_);
  // One report in each interval of the endpoint, and one way more.
  EXPECT_LE(report_times_.back() - begin, 120 * 8ms + 25ms);
}

TEST_F(KeyboardTest, WhatHasPiledUpReachesTheGuestAtTwiceTheDevicesPaceAtMost) {
  plug_in(5ms);
  listen();
  time_.advance(1s);
  // The guest comes late to a queue that is full, as it is after a connection that was away.
  attached_->guest.on_answer = [](usb::TransferId) {};
  time_.advance(10ms);
  for (unsigned i = 0; i < 20; ++i) type(4 + i);
  time_.advance(1s);
  reports_.push_back(hex(attached_->guest.answers.at(poll_).data));
  report_times_.push_back(time_.now());
  listen();
  const Nanoseconds begin = time_.now();
  time_.advance(1s);
  EXPECT_EQ(reports_, typed_);
  for (std::size_t i = 2; i < report_times_.size(); ++i) EXPECT_GE(report_times_[i] - report_times_[i - 1], 4ms) << i;
  EXPECT_LE(report_times_.back() - begin, 40 * 4ms + 1ms);
}

TEST_F(KeyboardTest, NoKeyIsLostOrDoubledThoughTheConnectionIsCutHundredsOfTimes) {
  plug_in(10ms, 3);
  listen();
  time_.advance(1s);
  attached_->chaos = true;
  attached_->cut_every = 30;
  for (unsigned i = 0; i < 3000; ++i) {
    type(4 + i % 90);
    for (unsigned ms = 0; ms < 20; ++ms) attached_->step();
  }
  attached_->chaos = false;
  if (!attached_->link.up()) attached_->link.connect();
  time_.advance(60s);
  EXPECT_GE(attached_->link.cuts, 250u);
  EXPECT_EQ(reports_, typed_);
  EXPECT_EQ(attached_->worker.arrivals, 1u);
  EXPECT_EQ(attached_->worker.departures, 0u);
  EXPECT_EQ(attached_->guest.doubled, 0u);
}

TEST_F(KeyboardTest, AGuestThatDoesNotAskHoldsTheDeviceUpAndLosesNothing) {
  plug_in(5ms);
  const usb::TransferId first = attached_->guest.in(kKeyboardIn, HidKeyboard::kReportSize);
  time_.advance(100ms);
  for (unsigned i = 0; i < 400; ++i) type(4 + i % 90);
  time_.advance(20s);
  reports_.push_back(hex(attached_->guest.answers.at(first).data));
  EXPECT_GT(attached_->peripheral->counters().full_queues, 0u);
  EXPECT_GT(attached_->server->counters().reports_held_up, 0u);
  EXPECT_LE(attached_->server->counters().reports, 1 + kReportWindow);
  listen();
  time_.advance(20s);
  EXPECT_EQ(reports_, typed_);
}

TEST_F(KeyboardTest, TheAgentStopsAskingADeviceThatTheGuestDoesNotUse) {
  plug_in(5ms);
  const usb::TransferId asked = attached_->guest.in(kKeyboardIn, HidKeyboard::kReportSize);
  time_.advance(100ms);
  attached_->guest.device->cancel(asked);
  time_.advance(5s);
  EXPECT_EQ(attached_->guest.answers.at(asked).status, Status::cancelled);
  type(4);
  time_.advance(1s);
  EXPECT_EQ(attached_->server->counters().reports, 0u);
  listen();
  time_.advance(1s);
  EXPECT_EQ(reports_, typed_);
}

TEST_F(KeyboardTest, EnumerationCostsAtMostTwoRoundTripsBesidesTheReset) {
  plug_in(50ms);
  attached_->guest.device->reset();
  time_.advance(200ms);  // reset recovery, and the way there and back
  const Nanoseconds begin = time_.now();
  const auto answered = attached_->peripheral->counters().answered_here;
  for (const unsigned value : {0x0100, 0x0200, 0x0300, 0x0301, 0x0302, 0x0303, 0x0600}) {
    (void)attached_->control(0x80, 6, static_cast<std::uint16_t>(value),
                             value >> 8 == 3 && value != 0x0300 ? 0x0409 : 0, 255);
  }
  (void)attached_->control(0x00, 5, 3, 0, 0);
  EXPECT_LE(time_.now() - begin, 10ms);
  EXPECT_EQ(attached_->peripheral->counters().answered_here - answered, 8u);
  (void)attached_->control(0x00, 9, 1, 0, 0);
  EXPECT_LE(time_.now() - begin, 112ms);
}

TEST_F(KeyboardTest, DescriptorsFromTheCacheAreTheDevicesOwn) {
  plug_in(1ms);
  Guest direct(time_);
  direct.device = &keyboard_;
  for (const unsigned value : {0x0100, 0x0200, 0x0300, 0x0301, 0x0302, 0x0303, 0x0600, 0x0f00, 0x0304, 0x0305}) {
    for (const unsigned length : {8, 64, 255}) {
      const std::uint16_t language = value >> 8 == 3 && value != 0x0300 ? 0x0409 : 0;
      const usb::SetupPacket setup{0x80, 6, static_cast<std::uint16_t>(value), language,
                                   static_cast<std::uint16_t>(length)};
      const usb::TransferId id = direct.control(setup);
      time_.run_until_idle();
      const Guest::Answer real = direct.answers.at(id);
      const Guest::Answer remote = attached_->wait(attached_->guest.control(setup));
      EXPECT_EQ(remote.status, real.status) << value;
      EXPECT_EQ(hex(remote.data), hex(real.data)) << value;
    }
  }
}

TEST_F(KeyboardTest, ARemoteWakeUpReachesTheGuest) {
  plug_in(5ms);
  listen();
  unsigned woken = 0;
  attached_->guest.device->set_wake_up([&] { ++woken; });
  (void)attached_->control(0x00, 3, 1, 0, 0);  // SET_FEATURE(DEVICE_REMOTE_WAKEUP)
  attached_->guest.device->suspend();
  time_.advance(100ms);
  type(4);
  time_.advance(100ms);
  EXPECT_EQ(woken, 1u);
  attached_->guest.device->resume();
  time_.advance(100ms);
  EXPECT_EQ(reports_, typed_);
}

/// A disk, used by a driver that waits for each stage.
class DiskTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kBlocks = 2048;

  void plug_in(Nanoseconds delay, std::uint32_t seed, Speed speed, usb::device::StorageTransport transport) {
    auto medium = std::make_unique<FakeBlock>(kBlocks);
    medium_ = medium.get();
    disk_ = std::make_unique<Storage>(usb::device::StorageOptions{.serial = "0123456789ABCDEF", .transport = transport},
                                      speed, std::move(medium), time_);
    attached_ = std::make_unique<Attached>(*disk_, time_, delay, seed);
    attached_->connect();
    ASSERT_NE(attached_->guest.device, nullptr);
    attached_->enumerate();
  }
  static Bytes read_write(bool write, std::uint32_t block, std::uint16_t blocks) {
    return ByteWriter().u8(write ? 0x2a : 0x28).u8(0).be32(block).u8(0).be16(blocks).u8(0).take();
  }
  Bytes random_blocks(std::size_t count) {
    Bytes data(count * 512);
    for (std::byte& each : data) each = static_cast<std::byte>(attached_->random());
    return data;
  }
  void expect_nothing_wrong(unsigned least_cuts) const {
    EXPECT_GE(attached_->link.cuts, least_cuts);
    EXPECT_EQ(attached_->worker.arrivals, 1u);
    EXPECT_EQ(attached_->worker.departures, 0u);
    EXPECT_EQ(attached_->worker.failure + attached_->agent.failure, "");
    EXPECT_EQ(attached_->guest.doubled, 0u);
    EXPECT_FALSE(attached_->guest.completed_inside_submit);
  }

  periplex::testing::VirtualTime time_;
  std::unique_ptr<Storage> disk_;
  FakeBlock* medium_ = nullptr;
  std::unique_ptr<Attached> attached_;
};

class BulkOnlyDiskTest : public DiskTest {
 protected:
  static constexpr std::uint8_t kIn = 0x81;
  static constexpr std::uint8_t kOut = 0x02;

  void plug_in(Nanoseconds delay, std::uint32_t seed) {
    DiskTest::plug_in(delay, seed, Speed::super, usb::device::StorageTransport::bulk_only);
    (void)command({std::byte{0}}, 0, true);
    (void)command({std::byte{3}, {}, {}, {}, std::byte{18}}, 18, true);
  }
  /// A whole command; the data that came. The stages are queued at once, as a controller sees them.
  Bytes command(const Bytes& cdb, std::uint32_t length, bool in, Bytes content = {}) {
    Attached& a = *attached_;
    const usb::TransferId wrapper = a.guest.out(kOut, BulkOnlyHost::cbw(cdb, length, in));
    std::optional<usb::TransferId> data;
    if (length > 0) data = in ? a.guest.in(kIn, length) : a.guest.out(kOut, std::move(content));
    EXPECT_EQ(a.wait(wrapper).status, Status::ok);
    Bytes got;
    if (data) {
      const Guest::Answer answer = a.wait(*data);
      EXPECT_EQ(answer.status, Status::ok);
      EXPECT_EQ(answer.actual, length);
      got = answer.data;
    }
    status_ = a.wait(a.guest.in(kIn, 13)).data;
    return got;
  }
  Bytes status_;
};

TEST_F(BulkOnlyDiskTest, NoByteIsWrongAndNothingIsDoneTwiceThoughTheConnectionIsCut) {
  plug_in(5ms, 21);
  const Bytes good = BulkOnlyHost::csw(0, usb::device::BulkOnlyStatus{});
  const auto device_in = attached_->device.submitted[usb::EndpointAddress(kIn)];
  const auto device_out = attached_->device.submitted[usb::EndpointAddress(kOut)];
  const unsigned requests = medium_->requests;
  attached_->chaos = true;
  attached_->cut_every = 25;
  constexpr unsigned kCommands = 400;
  for (unsigned i = 0; i < kCommands; ++i) {
    const auto blocks = static_cast<std::uint16_t>(1 + attached_->random() % 64);
    const auto first = static_cast<std::uint32_t>(attached_->random() % (kBlocks - blocks));
    const std::uint32_t length = blocks * 512u;
    if (i % 2 == 0) {
      const Bytes data = random_blocks(blocks);
      (void)command(read_write(true, first, blocks), length, false, data);
      ASSERT_EQ(status_, good);
      ASSERT_TRUE(std::equal(data.begin(), data.end(), medium_->content.begin() + first * 512));
    } else {
      const Bytes data = command(read_write(false, first, blocks), length, true);
      ASSERT_EQ(status_, good);
      ASSERT_TRUE(std::equal(data.begin(), data.end(), medium_->content.begin() + first * 512));
    }
  }
  expect_nothing_wrong(100);
  // Exactly the transfers that the guest has submitted: three for each command.
  EXPECT_EQ(attached_->device.submitted[usb::EndpointAddress(kIn)] - device_in, kCommands / 2 * 3);
  EXPECT_EQ(attached_->device.submitted[usb::EndpointAddress(kOut)] - device_out, kCommands / 2 * 3);
  EXPECT_EQ(medium_->requests - requests, kCommands);
}

TEST_F(BulkOnlyDiskTest, ALongCommandSurvivesCutsInItsMiddle) {
  plug_in(20ms, 5);
  const Bytes data = random_blocks(1024);
  for (unsigned i = 0; i < 50; ++i) {
    attached_->guest.out(kOut, BulkOnlyHost::cbw(read_write(true, 0, 1024), 1024 * 512, false));
    const usb::TransferId body = attached_->guest.out(kOut, data);
    const usb::TransferId status = attached_->guest.in(kIn, 13);
    time_.advance(Microseconds(1000 * i));
    attached_->link.cut();
    time_.advance(1s);
    attached_->link.connect();
    EXPECT_EQ(attached_->wait(body).actual, data.size());
    EXPECT_EQ(attached_->wait(status).data, BulkOnlyHost::csw(0, usb::device::BulkOnlyStatus{}));
  }
  EXPECT_TRUE(std::equal(data.begin(), data.end(), medium_->content.begin()));
  expect_nothing_wrong(50);
}

class UasDiskTest : public DiskTest {
 protected:
  static constexpr std::uint8_t kCommand = 0x04, kStatus = 0x83, kIn = 0x81, kOut = 0x02;

  void plug_in(Nanoseconds delay, std::uint32_t seed) {
    DiskTest::plug_in(delay, seed, Speed::super, usb::device::StorageTransport::uas);
    (void)attached_->control(0x01, 0x0b, 1, 0, 0);
    const usb::TransferId attention = attached_->guest.in(kStatus, UasHost::kStatusRoom, 1);
    attached_->guest.out(kCommand, UasHost::command_iu(1, {std::byte{0}}));
    (void)attached_->wait(attention);
  }
};

TEST_F(UasDiskTest, ManyCommandsAtOnceAreEachDoneOnceThoughTheConnectionIsCut) {
  plug_in(5ms, 9);
  const unsigned requests = medium_->requests;
  attached_->chaos = true;
  attached_->cut_every = 20;
  constexpr unsigned kRounds = 150;
  constexpr std::uint16_t kDepth = 8;
  struct Pending {
    usb::TransferId data, status;
    std::uint32_t block;
    Bytes content;
  };
  for (unsigned round = 0; round < kRounds; ++round) {
    std::vector<Pending> pending;
    for (std::uint16_t tag = 1; tag <= kDepth; ++tag) {
      const bool write = (round + tag) % 2 == 0;
      Pending each{.data = {},
                   .status = attached_->guest.in(kStatus, UasHost::kStatusRoom, tag),
                   .block = tag * 200u,
                   .content = {}};
      if (write) each.content = random_blocks(16);
      each.data = write ? attached_->guest.out(kOut, each.content, tag) : attached_->guest.in(kIn, 16 * 512, tag);
      attached_->guest.out(kCommand, UasHost::command_iu(tag, read_write(write, each.block, 16)));
      pending.push_back(std::move(each));
    }
    for (std::uint16_t tag = 1; tag <= kDepth; ++tag) {
      const Pending& each = pending[tag - 1u];
      ASSERT_EQ(UasHost::parse(attached_->wait(each.status).data), UasHost::good(tag));
      const Guest::Answer data = attached_->wait(each.data);
      ASSERT_EQ(data.actual, 16u * 512);
      const Bytes& got = each.content.empty() ? data.data : each.content;
      ASSERT_TRUE(std::equal(got.begin(), got.end(), medium_->content.begin() + each.block * 512));
    }
  }
  expect_nothing_wrong(100);
  EXPECT_EQ(medium_->requests - requests, kRounds * kDepth);
}

}  // namespace
}  // namespace periplex::attachment

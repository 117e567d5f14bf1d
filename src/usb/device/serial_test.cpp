// SPDX-License-Identifier: Apache-2.0
#include "usb/device/serial.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "base/testing/virtual_time.hpp"
#include "usb/descriptors.hpp"
#include "usb/device/testing/fake_line.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::usb::device {
namespace {

using std::chrono::milliseconds;

constexpr SetupPacket kConfigure{.request_type = 0x00, .request = 9, .value = 1};
constexpr SetupPacket kGetConfiguration{.request_type = 0x80, .request = 6, .value = 0x0200, .length = 255};
constexpr SetupPacket kGetLineCoding{.request_type = 0xa1, .request = 0x21, .length = 7};
constexpr SetupPacket kSetLineCoding{.request_type = 0x21, .request = 0x20, .length = 7};
constexpr SetupPacket kEnableRemoteWakeUp{.request_type = 0x00, .request = 3, .value = 1};
constexpr std::size_t kPacket = 64;

SetupPacket set_control_lines(std::uint16_t lines) {
  return {.request_type = 0x21, .request = 0x22, .value = lines};
}
SetupPacket send_break(std::uint16_t duration) {
  return {.request_type = 0x21, .request = 0x23, .value = duration};
}
Bytes bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

/// A full-speed port that a guest has configured.
class SerialTest : public ::testing::Test {
 protected:
  explicit SerialTest(Speed speed = Speed::full) {
    auto made = std::make_unique<testing::FakeLine>();
    line = made.get();
    port = std::make_unique<Serial>("tested", speed, std::move(made), time);
    log = std::make_unique<usb::testing::TransferLog>(*port);
    (void)ask(kConfigure);
  }
  ~SerialTest() override {
    port.reset();  // the log must outlive the transfers
    EXPECT_EQ(log->outstanding(), 0u);
    EXPECT_FALSE(log->completed_inside_submit);
  }

  std::string ask(const SetupPacket& setup, Bytes data = {}) {
    const TransferId id = log->control(setup, std::move(data));
    return result(id, [](const Bytes& answer) { return hex(answer); });
  }
  /// The text that a guest-bound transfer got; "-" if it is pending.
  std::string text(TransferId id) {
    return result(id, [](const Bytes& answer) { return std::string(as_text(answer)); });
  }
  /// How a device-bound transfer ended.
  std::string end(TransferId id) {
    time.run_until_idle();
    const auto* entry = log->find(id);
    return entry == nullptr ? "-" : std::string(name(entry->status)) + " " + std::to_string(entry->actual);
  }

  periplex::testing::VirtualTime time;
  testing::FakeLine* line;
  std::unique_ptr<Serial> port;
  std::unique_ptr<usb::testing::TransferLog> log;

 private:
  template <typename Show>
  std::string result(TransferId id, Show show) {
    time.run_until_idle();
    const auto* entry = log->find(id);
    if (entry == nullptr) return "-";
    return entry->status == Status::ok ? show(entry->data) : std::string(name(entry->status));
  }
};

TEST_F(SerialTest, IsWhatDriversOfTheAbstractControlModelLookFor) {
  const TransferId id = log->control(kGetConfiguration);
  time.run_until_idle();
  const auto configuration = parse_configuration(log->find(id)->data);
  ASSERT_TRUE(configuration);
  ASSERT_EQ(configuration->interfaces.size(), 2u);
  const ParsedInterface& control = configuration->interfaces[0];
  const ParsedInterface& data = configuration->interfaces[1];
  EXPECT_EQ(control.descriptor.interface_class, 2);
  EXPECT_EQ(control.descriptor.interface_subclass, 2);
  EXPECT_EQ(control.descriptor.interface_protocol, 1);
  EXPECT_EQ(hex(control.class_descriptors), "05 24 00 20 01 05 24 01 00 01 04 24 02 06 05 24 06 00 01");
  ASSERT_EQ(control.endpoints.size(), 1u);
  EXPECT_EQ(control.endpoints[0].descriptor.type(), TransferType::interrupt);
  EXPECT_EQ(data.descriptor.interface_class, 10);
  ASSERT_EQ(data.endpoints.size(), 2u);
  EXPECT_EQ(data.endpoints[0].descriptor.max_packet_size, kPacket);
}

TEST(SerialSpeeds, RunsAtEverySpeedButLow) {
  periplex::testing::VirtualTime time;
  for (const Speed speed : {Speed::full, Speed::high, Speed::super, Speed::super_plus}) {
    const Serial port("tested", speed, std::make_unique<testing::FakeLine>(), time);
    EXPECT_FALSE(runs_at(port.description(), Speed::low));
    EXPECT_TRUE(runs_at(port.description(), speed));
  }
}

TEST_F(SerialTest, WhatArrivesIsHandedOutAtOnceAndInOrder) {
  const TransferId first = log->in(Serial::kBulkIn, 128);
  const TransferId second = log->in(Serial::kBulkIn, 128);
  const TransferId third = log->in(Serial::kBulkIn, 128);
  EXPECT_EQ(text(first), "-");
  line->arrive("a");
  EXPECT_EQ(text(first), "a");
  EXPECT_EQ(text(second), "-");
  line->arrive("bcd");
  EXPECT_EQ(text(second), "bcd");
  EXPECT_EQ(text(third), "-");
}

TEST_F(SerialTest, ALotThatArrivesFillsAllTransfersThatWait) {
  const TransferId first = log->in(Serial::kBulkIn, 128);
  const TransferId second = log->in(Serial::kBulkIn, 128);
  line->arrive(std::string(128, 'x') + std::string(50, 'y') + "rest");
  EXPECT_EQ(text(first), std::string(128, 'x'));
  EXPECT_EQ(text(second), std::string(50, 'y') + "rest");
}

TEST_F(SerialTest, AWholePacketEndsATransferToo) {
  const TransferId id = log->in(Serial::kBulkIn, 2 * kPacket);
  const TransferId next = log->in(Serial::kBulkIn, 2 * kPacket);
  line->arrive(std::string(kPacket, 'x'));
  EXPECT_EQ(text(id), std::string(kPacket, 'x')) << "what a zero-length packet would end must not wait for more";
  EXPECT_EQ(text(next), "-") << "and no empty transfer follows";
}

TEST_F(SerialTest, WhatTheGuestDoesNotAskForStaysWithTheSender) {
  line->arrive("early");
  const TransferId small = log->in(Serial::kBulkIn, 2);
  EXPECT_EQ(text(small), "ea");
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 64)), "rly");
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 64)), "-");
}

TEST_F(SerialTest, ACancelledReadTakesNothingAlong) {
  const TransferId id = log->in(Serial::kBulkIn, 64);
  port->cancel(id);
  line->arrive("kept");
  EXPECT_EQ(text(id), "cancelled");
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 64)), "kept");
}

TEST_F(SerialTest, ATransferWithoutRoomTakesNothing) {
  const TransferId id = log->in(Serial::kBulkIn, 0);
  EXPECT_EQ(text(id), "-");
  line->arrive("kept");
  EXPECT_EQ(text(id), "babble");
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 64)), "kept");
}

TEST_F(SerialTest, AWriteIsPendingUntilTheLineHasTakenIt) {
  const TransferId first = log->out(Serial::kBulkOut, bytes("hello"));
  const TransferId second = log->out(Serial::kBulkOut, bytes(" world"));
  EXPECT_EQ(end(first), "-");
  line->make_room(3);
  EXPECT_EQ(line->sent, "hel");
  EXPECT_EQ(end(first), "-");
  line->make_room(2);
  EXPECT_EQ(end(first), "ok 5");
  line->make_room(100);
  EXPECT_EQ(end(second), "ok 6");
  EXPECT_EQ(line->sent, "hello world");
}

TEST_F(SerialTest, AnEmptyWriteEndsInItsTurn) {
  const TransferId first = log->out(Serial::kBulkOut, bytes("a"));
  const TransferId empty = log->out(Serial::kBulkOut, {});
  EXPECT_EQ(end(empty), "-");
  line->make_room(1);
  EXPECT_EQ(end(first), "ok 1");
  EXPECT_EQ(end(empty), "ok 0");
}

TEST_F(SerialTest, ACancelledWriteEndsAfterAWholePacket) {
  line->make_room(kPacket + 6);
  const TransferId id = log->out(Serial::kBulkOut, bytes(std::string(3 * kPacket, 'x')));
  port->cancel(id);
  EXPECT_EQ(end(id), "cancelled 128");
  const TransferId next = log->out(Serial::kBulkOut, bytes("next"));
  line->make_room(10);
  EXPECT_EQ(end(next), "-") << "the rest of the packet goes first";
  line->make_room(100);
  EXPECT_EQ(end(next), "ok 4");
  EXPECT_EQ(line->sent, std::string(2 * kPacket, 'x') + "next");
}

TEST_F(SerialTest, AWriteCancelledInItsLastPacketIsDone) {
  line->make_room(1);
  const TransferId id = log->out(Serial::kBulkOut, bytes("abc"));
  port->cancel(id);
  EXPECT_EQ(end(id), "ok 3");
  line->make_room(10);
  EXPECT_EQ(line->sent, "abc");
}

TEST_F(SerialTest, AWriteCancelledBeforeItBeganIsNotDone) {
  const TransferId first = log->out(Serial::kBulkOut, bytes("abc"));
  const TransferId second = log->out(Serial::kBulkOut, bytes("def"));
  port->cancel(second);
  port->cancel(first);
  EXPECT_EQ(end(second), "cancelled 0");
  EXPECT_EQ(end(first), "cancelled 0");
  line->make_room(10);
  EXPECT_EQ(line->sent, "");
}

TEST_F(SerialTest, ResetAndReconfigurationLoseNoByteThatWasTaken) {
  line->make_room(1);
  const TransferId first = log->out(Serial::kBulkOut, bytes(std::string(kPacket + 1, 'r')));
  port->reset();
  EXPECT_EQ(end(first), "cancelled 64");
  (void)ask(kConfigure);
  line->make_room(kPacket);
  EXPECT_EQ(line->sent, std::string(kPacket, 'r'));
  const TransferId second = log->out(Serial::kBulkOut, bytes("cc"));
  EXPECT_EQ(line->sent, std::string(kPacket, 'r') + "c");
  (void)ask(kConfigure);
  EXPECT_EQ(end(second), "ok 2");
}

TEST_F(SerialTest, TheLineLearnsWhatTheGuestSets) {
  EXPECT_EQ(ask(kGetLineCoding), "80 25 00 00 00 00 08");
  EXPECT_EQ(
      ask(kSetLineCoding, {std::byte{0}, std::byte{0xc2}, std::byte{1}, {}, std::byte{2}, std::byte{1}, std::byte{7}}),
      "");
  EXPECT_EQ(line->applied.coding,
            (LineCoding{.bit_rate = 115200, .stop_bits = StopBits::two, .parity = Parity::odd, .data_bits = 7}));
  EXPECT_EQ(ask(kGetLineCoding), "00 c2 01 00 02 01 07");
  EXPECT_EQ(ask(set_control_lines(1)), "");
  EXPECT_TRUE(line->applied.data_terminal_ready);
  EXPECT_FALSE(line->applied.request_to_send);
  port->reset();
  EXPECT_EQ(line->applied, LineSettings{});
}

TEST_F(SerialTest, WhatIsNoRequestOfAPortIsRefused) {
  EXPECT_EQ(ask(kSetLineCoding, bytes("123")), "stall");
  EXPECT_EQ(ask(kSetLineCoding, Bytes(7)), "stall") << "no data bits";
  SetupPacket to_data = kGetLineCoding;
  to_data.index = 1;
  EXPECT_EQ(ask(to_data), "stall");
  EXPECT_EQ(ask({.request_type = 0x21, .request = 0x00, .length = 2}, Bytes(2)), "stall") << "AT commands";
  EXPECT_EQ(ask({.request_type = 0x21, .request = 0x22, .value = 1, .length = 1}, Bytes(1)), "stall");
  EXPECT_EQ(line->applied, LineSettings{});
}

TEST_F(SerialTest, ABreakEndsByItself) {
  EXPECT_EQ(ask(send_break(250)), "");
  EXPECT_TRUE(line->applied.sending_break);
  time.advance(milliseconds(249));
  EXPECT_TRUE(line->applied.sending_break);
  time.advance(milliseconds(1));
  EXPECT_FALSE(line->applied.sending_break);
}

TEST_F(SerialTest, ABreakUntilFurtherNoticeEndsThen) {
  (void)ask(send_break(0xffff));
  time.advance(std::chrono::hours(1));
  EXPECT_TRUE(line->applied.sending_break);
  (void)ask(send_break(0));
  EXPECT_FALSE(line->applied.sending_break);
  EXPECT_EQ(time.armed_timers(), 0u);
}

TEST_F(SerialTest, TheGuestHearsWhetherSomebodyListens) {
  const TransferId first = log->in(Serial::kNotification, 16);
  EXPECT_EQ(text(first), "-") << "nobody does, as it thinks already";
  line->set_connected(true);
  time.run_until_idle();
  ASSERT_NE(log->find(first), nullptr);
  EXPECT_EQ(hex(log->find(first)->data), "a1 20 00 00 00 00 02 00 03 00");
  line->set_connected(false);
  line->set_connected(true);
  EXPECT_EQ(text(log->in(Serial::kNotification, 16)), "-") << "as the guest knows";
  (void)ask(kConfigure);
  const TransferId again = log->in(Serial::kNotification, 16);
  time.run_until_idle();
  EXPECT_NE(log->find(again), nullptr) << "a driver that begins knows nothing";
}

TEST_F(SerialTest, ASuspendedGuestIsWokenByWhatArrives) {
  int woken = 0;
  port->set_wake_up([&] { ++woken; });
  (void)ask(kEnableRemoteWakeUp);
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 64)), "-");
  port->suspend();
  time.advance(milliseconds(100));
  EXPECT_EQ(woken, 0);
  EXPECT_EQ(time.armed_timers(), 0u);
  line->arrive("wake");
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(log->entries.back().data.size(), 0u) << "a suspended port carries nothing";
  port->resume();
  time.run_until_idle();
  EXPECT_EQ(as_text(log->entries.back().data), "wake");
}

TEST_F(SerialTest, WhatArrivedRightBeforeASuspensionEndsIt) {
  int woken = 0;
  port->set_wake_up([&] { ++woken; });
  (void)ask(kEnableRemoteWakeUp);
  line->arrive("x");
  port->suspend();
  EXPECT_EQ(woken, 0) << "not from inside, and not before 5 ms (USB 2.0 §7.1.7.7)";
  time.advance(milliseconds(5));
  EXPECT_EQ(woken, 1);
}

TEST_F(SerialTest, UnpluggingEndsWhatIsUnderWay) {
  line->make_room(1);
  const TransferId out = log->out(Serial::kBulkOut, bytes(std::string(100, 'x')));
  const TransferId in = log->in(Serial::kBulkIn, 64);
  port.reset();
  EXPECT_EQ(end(out), "disconnected 64");
  EXPECT_EQ(end(in), "disconnected 0");
}

TEST_F(SerialTest, NoTransferBringsMoreThanAGuestCanStop) {
  line->arrive(std::string(Serial::kMostAtOnce + 1, 'x'));
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 1024)), std::string(Serial::kMostAtOnce, 'x'));
  EXPECT_EQ(text(log->in(Serial::kBulkIn, 1024)), "x");
}

class HighSpeedSerialTest : public SerialTest {
 protected:
  HighSpeedSerialTest() : SerialTest(Speed::high) {}
};

TEST_F(HighSpeedSerialTest, CountsInItsOwnPackets) {
  line->make_room(1);
  const TransferId id = log->out(Serial::kBulkOut, bytes(std::string(1024, 'x')));
  port->cancel(id);
  EXPECT_EQ(end(id), "cancelled 512");
}

}  // namespace
}  // namespace periplex::usb::device

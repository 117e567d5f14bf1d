// SPDX-License-Identifier: Apache-2.0
// Importer and exporter against each other, over a network with a delay.
#include <gtest/gtest.h>
#include <optional>

#include "remote/usbip/testing/delayed_wires.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::remote::usbip {
namespace {

using namespace std::chrono_literals;
using usb::EndpointAddress;
using usb::Status;

constexpr EndpointAddress kReports(0x81);
constexpr auto kOneWay = 25ms;
constexpr auto kReportTime = 8ms;  // 125 Hz

/// A keyboard whose reports come at fixed times and wait nowhere: what nobody has asked for by then is lost.
class Metronome final : public usb::Device {
 public:
  Metronome(usb::device::HidKeyboard& real, periplex::testing::VirtualTime& time)
      : real_(real), timer_(time.make_timer([this] { tick(); })) {}

  void start(unsigned count) {
    left_ = count;
    timer_->arm(kReportTime);
  }
  unsigned lost = 0;

  [[nodiscard]] usb::Speed speed() const override { return real_.speed(); }
  void submit(usb::TransferPtr transfer) override {
    if (transfer->endpoint() != kReports) return real_.submit(std::move(transfer));
    waiting_.push_back(std::move(transfer));
  }
  void cancel(usb::TransferId id) override { real_.cancel(id); }
  void reset() override {
    while (!waiting_.empty()) {
      usb::TransferPtr transfer = std::move(waiting_.front());
      waiting_.pop_front();
      usb::Transfer::complete(std::move(transfer), {Status::cancelled, 0});
    }
    real_.reset();
  }

 private:
  void tick() {
    if (waiting_.empty()) {
      ++lost;
    } else {
      usb::TransferPtr transfer = std::move(waiting_.front());
      waiting_.pop_front();
      (void)transfer->data.write(0, Bytes(8, static_cast<std::byte>(left_)));
      usb::Transfer::complete(std::move(transfer), {Status::ok, 8});
    }
    if (--left_ > 0) timer_->arm(kReportTime);
  }

  usb::device::HidKeyboard& real_;
  std::deque<usb::TransferPtr> waiting_;
  std::unique_ptr<Timer> timer_;
  unsigned left_ = 0;
};

/// A guest's driver that asks for the next report as soon as it has one.
class Reader final : public usb::TransferOwner {
 public:
  explicit Reader(usb::Device& device) : device_(device) { ask(); }
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    if (completion.status != Status::ok) return;
    reports.push_back(transfer->data.copy(1)[0]);
    ask();
  }
  std::vector<std::byte> reports;

 private:
  void ask() {
    device_.submit(std::make_unique<usb::Transfer>(*this, usb::TransferId(1000 + ++asked_), kReports,
                                                   usb::Direction::in, usb::TransferData::room(8)));
  }
  usb::Device& device_;
  std::uint64_t asked_ = 0;
};

void configure(usb::Device& device, periplex::testing::VirtualTime& time) {
  usb::testing::TransferLog log(device);
  log.control({.request_type = 0x80, .request = 6, .value = 0x0200, .index = 0, .length = 255});
  time.advance(100ms);
  log.control({.request_type = 0, .request = 9, .value = 1});
  time.advance(100ms);
  ASSERT_EQ(log.entries.size(), 2u);
  EXPECT_EQ(log.entries[0].status, Status::ok);
  EXPECT_EQ(log.entries[1].status, Status::ok);
}

TEST(UsbipStream, AStreamOf125HertzSurvivesAnRttOf50Milliseconds) {
  periplex::testing::VirtualTime time;
  usb::device::HidKeyboard keyboard("kbd", usb::Speed::full, time);
  Metronome metronome(keyboard, time);
  std::optional<Reader> reader;  // gets what it waits for back when the wires go
  testing::DelayedWires wires(metronome, kOneWay, time);
  wires.connect();
  time.advance(100ms);
  ASSERT_NE(wires.device(), nullptr) << wires.why();
  configure(*wires.device(), time);
  reader.emplace(*wires.device());
  time.advance(100ms);
  metronome.start(120);
  time.advance(2s);
  EXPECT_EQ(metronome.lost, 0u);
  ASSERT_EQ(reader->reports.size(), 120u);
  for (std::size_t i = 0; i < 120; ++i) EXPECT_EQ(reader->reports[i], static_cast<std::byte>(120 - i));
}

TEST(UsbipStream, WithOneRequestAheadMostOfItIsLost) {
  periplex::testing::VirtualTime time;
  usb::device::HidKeyboard keyboard("kbd", usb::Speed::full, time);
  Metronome metronome(keyboard, time);
  std::optional<Reader> reader;  // gets what it waits for back when the wires go
  testing::DelayedWires wires(metronome, kOneWay, time, {.bus_id = "1-1", .reports_ahead = 1});
  wires.connect();
  time.advance(100ms);
  ASSERT_NE(wires.device(), nullptr);
  configure(*wires.device(), time);
  reader.emplace(*wires.device());
  time.advance(100ms);
  metronome.start(120);
  time.advance(2s);
  EXPECT_GT(metronome.lost, 90u) << "what the setting is for: servers that take one request at a time";
}

}  // namespace
}  // namespace periplex::remote::usbip

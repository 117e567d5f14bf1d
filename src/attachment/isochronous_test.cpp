// SPDX-License-Identifier: Apache-2.0
// Sound in both directions behind the attachment protocol: a guest whose controller is the clock, a network that
// jitters.
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

#include "attachment/jitter.hpp"
#include "attachment/testing/attached.hpp"
#include "usb/device/testing/sound_host.hpp"

namespace periplex::attachment {
namespace {

using namespace std::chrono_literals;
using testing::Attached;
using testing::Guest;
using usb::Status;
using usb::device::Sound;
using usb::device::testing::MemorySink;
using usb::device::testing::RampSource;

constexpr std::uint8_t kOut = 0x01, kIn = 0x81;
constexpr std::uint32_t kPacket = 192;  // a millisecond of 48 kHz

/// A device that takes its packets at the pace of a bus, as a real one behind a host controller does.
class PacedDevice final : public usb::Device {
 public:
  PacedDevice(usb::Device& device, Scheduler& scheduler, double pace)
      : device_(device), scheduler_(scheduler), pace_(pace), timer_(scheduler.make_timer([this] { tick(); })) {}

  [[nodiscard]] usb::Speed speed() const override { return device_.speed(); }
  void submit(usb::TransferPtr transfer) override {
    if (transfer->packets.empty()) return device_.submit(std::move(transfer));
    auto& queue = queues_[transfer->endpoint()];
    const Nanoseconds from = queue.empty() ? scheduler_.now() : queue.back().due;
    if (queue.empty() && transfer->direction() == usb::Direction::out) ++idle;
    const auto lasts =
        Nanoseconds(static_cast<std::int64_t>(1e6 * pace_ * static_cast<double>(transfer->packets.size())));
    queue.push_back({from + lasts, std::move(transfer)});
    arm();
  }
  void cancel(usb::TransferId id) override {
    for (auto& [endpoint, queue] : queues_) {
      for (Queued& each : queue) {
        if (each.transfer->id() == id) each.due = scheduler_.now();
      }
    }
    arm();
    device_.cancel(id);
  }
  void reset() override { device_.reset(); }

  unsigned idle = 0;  ///< how often packets came to a bus that had none

 private:
  struct Queued {
    Nanoseconds due;
    usb::TransferPtr transfer;
  };
  void tick() {
    for (auto& [endpoint, queue] : queues_) {
      while (!queue.empty() && queue.front().due <= scheduler_.now()) {
        usb::TransferPtr transfer = std::move(queue.front().transfer);
        queue.pop_front();
        device_.submit(std::move(transfer));
      }
    }
    arm();
  }
  void arm() {
    std::optional<Nanoseconds> first;
    for (auto& [endpoint, queue] : queues_) {
      if (!queue.empty() && (!first || queue.front().due < *first)) first = queue.front().due;
    }
    if (first) timer_->arm(std::max(*first - scheduler_.now(), Nanoseconds(0)));
  }
  usb::Device& device_;
  Scheduler& scheduler_;
  double pace_;
  std::unique_ptr<Timer> timer_;
  std::map<usb::EndpointAddress, std::deque<Queued>> queues_;
};

class SoundTest : public ::testing::Test {
 protected:
  void plug_in(Nanoseconds delay, std::optional<double> pace = std::nullopt) {
    auto sink = std::make_unique<MemorySink>();
    auto source = std::make_unique<RampSource>();
    sink_ = sink.get();
    sound_ = std::make_unique<Sound>(usb::device::SoundOptions{}, usb::Speed::full, std::move(sink), std::move(source),
                                     time_);
    if (pace) paced_ = std::make_unique<PacedDevice>(*sound_, time_, *pace);
    attached_ = std::make_unique<Attached>(paced_ ? static_cast<usb::Device&>(*paced_) : *sound_, time_, delay);
    attached_->connect();
    ASSERT_NE(attached_->guest.device, nullptr);
    attached_->enumerate();
    for (const unsigned number : {1u, 2u}) {
      const auto interface = static_cast<std::uint16_t>(number);
      EXPECT_EQ(attached_->control(0x01, 11, 1, interface, 0).status, Status::ok);
    }
  }
  ~SoundTest() override { unplug(); }
  /// The agent leaves first; a device then gives back what it was asked to cancel, in its own time.
  void unplug() {
    attached_.reset();
    time_.advance(1ms);
    paced_.reset();
  }

  /// A millisecond of the guest's controller: a packet each way.
  void frame(bool play, bool record) {
    if (play) {
      Bytes data(kPacket);
      for (std::size_t at = 0; at < data.size(); at += 4, ++played_) std::memcpy(&data[at], &played_, 4);
      attached_->guest.isochronous(kOut, {kPacket}, std::move(data));
    }
    const usb::TransferId asked = record ? attached_->guest.isochronous(kIn, {kPacket + 4}) : usb::TransferId();
    time_.advance(1ms);
    if (!record) return;
    const Guest::Answer& answer = attached_->guest.answers.at(asked);
    recorded_.insert(recorded_.end(), answer.data.begin(), answer.data.begin() + answer.packets.at(0).actual);
    if (answer.packets.at(0).actual == 0) ++empty_;
  }
  void run(unsigned frames, bool play, bool record, unsigned jitter_ms = 0) {
    for (unsigned i = 0; i < frames; ++i) {
      if (jitter_ms != 0) attached_->link.delay = 10ms + Microseconds(attached_->random() % (1000 * jitter_ms));
      frame(play, record);
    }
  }
  /// The words of a stream, without those that are silence.
  static std::vector<std::uint32_t> sound(const Bytes& stream) {
    std::vector<std::uint32_t> words(stream.size() / 4);
    std::memcpy(words.data(), stream.data(), words.size() * 4);
    std::erase(words, 0u);
    return words;
  }
  /// Where the next word is not the last one plus one.
  static unsigned gaps(const Bytes& stream) {
    unsigned found = 0;
    const std::vector<std::uint32_t> words = sound(stream);
    for (std::size_t i = 1; i < words.size(); ++i) found += words[i] != words[i - 1] + 1;
    return found;
  }

  periplex::testing::VirtualTime time_;
  MemorySink* sink_ = nullptr;
  std::unique_ptr<Sound> sound_;
  std::unique_ptr<PacedDevice> paced_;
  std::unique_ptr<Attached> attached_;
  std::uint32_t played_ = 1;
  Bytes recorded_;
  unsigned empty_ = 0;
};

TEST_F(SoundTest, PlaybackArrivesWholeAndInOrder) {
  plug_in(20ms);
  run(2000, true, false);
  time_.advance(1s);
  EXPECT_EQ(sink_->heard.size(), 2000u * kPacket);
  EXPECT_EQ(gaps(sink_->heard), 0u);
}

TEST_F(SoundTest, RecordingHasNoGapOnceItRuns) {
  plug_in(20ms);
  run(2000, false, true);
  EXPECT_EQ(gaps(recorded_), 0u);
  EXPECT_LT(empty_, 80u) << "the way there and back, and what is kept ready";
  EXPECT_EQ(attached_->peripheral->counters().under_runs, 0u);
}

TEST_F(SoundTest, ADeviceAtThePaceOfABusNeverRunsDryAndNothingIsLost) {
  plug_in(20ms, 1.0);
  run(3000, true, true);
  EXPECT_EQ(attached_->server->counters().under_runs, 0u);
  EXPECT_LE(paced_->idle, 1u);
  EXPECT_EQ(gaps(recorded_), 0u);
  EXPECT_EQ(gaps(sink_->heard), 0u);
}

TEST_F(SoundTest, WhatIsKeptReadyFollowsTheJitterUntilNothingRunsDry) {
  plug_in(10ms, 1.0);
  run(5000, true, true, 30);
  const auto dry_at_first = attached_->server->counters().under_runs;
  const auto dry_recording = attached_->peripheral->counters().under_runs;
  run(10'000, true, true, 30);
  EXPECT_LE(attached_->server->counters().under_runs, dry_at_first + 1);
  EXPECT_LE(attached_->peripheral->counters().under_runs, dry_recording + 1);
  EXPECT_LE(gaps(recorded_), attached_->peripheral->counters().packets_in_dropped);
}

TEST_F(SoundTest, ADeviceClockThatDiffersCostsNowAndThenAPacketAndNoGrowingDelay) {
  for (const double pace : {0.999, 1.001}) {
    unplug();
    recorded_.clear();
    plug_in(10ms, pace);
    run(20'000, false, true);
    const PeripheralCounters& counters = attached_->peripheral->counters();
    // 20 ms of difference in all.
    EXPECT_LE(counters.under_runs, 4u) << pace;
    EXPECT_LE(counters.packets_in_dropped, 60u) << pace;
    EXPECT_LT(counters.packets_in - counters.packets_in_dropped - sound(recorded_).size() * 4 / kPacket, 60u) << pace;
  }
}

TEST_F(SoundTest, ACutIsALossAndTheStreamGoesOn) {
  plug_in(10ms, 1.0);
  run(1000, true, true);
  attached_->link.cut();
  run(500, true, true);
  const std::size_t heard = sink_->heard.size();
  const std::size_t recorded = sound(recorded_).size();
  attached_->link.connect();
  run(1000, true, true);
  EXPECT_GT(sink_->heard.size(), heard + 900 * kPacket);
  EXPECT_GT(sound(recorded_).size(), recorded + 900 * kPacket / 4);
  EXPECT_GT(attached_->peripheral->counters().packets_out_dropped, 400u);
  EXPECT_EQ(attached_->worker.failure + attached_->agent.failure, "");
}

TEST_F(SoundTest, AMicrophoneThatCannotBeReachedIsSilentAndNotDead) {
  plug_in(10ms, 1.0);
  run(1000, false, true);
  const unsigned empty = empty_;
  EXPECT_LT(empty, 40u) << "the way there and back, until its packets are known";
  const std::size_t heard = sound(recorded_).size();
  const std::size_t recorded = recorded_.size();
  attached_->link.cut();
  run(500, false, true);
  EXPECT_EQ(recorded_.size(), recorded + 500 * kPacket);
  EXPECT_LT(sound(recorded_).size(), heard + 40 * kPacket / 4);
  EXPECT_EQ(empty_, empty);
}

TEST_F(SoundTest, AStreamThatTheGuestHasClosedCostsNothing) {
  plug_in(10ms);
  run(500, true, true);
  (void)attached_->control(0x01, 11, 0, 1, 0);
  (void)attached_->control(0x01, 11, 0, 2, 0);
  time_.advance(2s);
  const auto carried = attached_->link.carried;
  time_.advance(10s);
  EXPECT_EQ(attached_->link.carried, carried);
  // And opens again.
  (void)attached_->control(0x01, 11, 1, 2, 0);
  recorded_.clear();
  run(500, false, true);
  EXPECT_GT(recorded_.size(), 400u * kPacket);
}

TEST(JitterTest, AnEvenStreamNeedsTheLeast) {
  Jitter jitter;
  for (Nanoseconds now{}; now < 1s; now += 4ms) jitter.on_arrival(now, 4ms);
  EXPECT_EQ(jitter.target(), Jitter::kLeast);
}

TEST(JitterTest, ALateArrivalIsRememberedAndSlowlyForgotten) {
  Jitter jitter;
  Nanoseconds now{};
  for (; now < 1s; now += 4ms) jitter.on_arrival(now, 4ms);
  jitter.on_arrival(now + 20ms, 4ms);
  EXPECT_GE(jitter.target(), Jitter::kLeast + 20ms);
  for (unsigned i = 0; i < 4000; ++i) jitter.on_arrival(now += 4ms, 4ms);
  EXPECT_LT(jitter.target(), Jitter::kLeast + 5ms);
}

TEST(JitterTest, TheTargetIsBounded) {
  Jitter jitter;
  for (unsigned i = 0; i < 1000; ++i) jitter.on_dry();
  EXPECT_EQ(jitter.target(), Jitter::kMost);
}

}  // namespace
}  // namespace periplex::attachment

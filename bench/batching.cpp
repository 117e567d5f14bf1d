// SPDX-License-Identifier: Apache-2.0
#include "bench/batching.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "bench/controller_guest.hpp"
#include "bench/delayed_device.hpp"
#include "bench/stopwatch.hpp"

namespace periplex::bench {
namespace {

using usb::Direction;
using usb::Speed;

using MakeGuest = std::unique_ptr<ControllerGuest> (*)(EventLoop&);

struct Kind {
  MakeGuest make;
  Speed speed;
};
constexpr Kind kKinds[] = {
    {make_uhci_guest, Speed::full}, {make_ehci_guest, Speed::high}, {make_xhci_guest, Speed::super}};

constexpr std::uint32_t kDataSet = 64 * 1024;
constexpr double kDelays[] = {0, 0.001, 0.010, 0.050};
constexpr unsigned kInFlight[] = {1, 4};
constexpr double kLongestRun = 0.4;  // seconds
constexpr std::uint64_t kMostDataSets = 2000;
constexpr double kSettleSeconds = 1;

/// One controller with one device and the driver for both, on a loop of its own.
class Bench {
 public:
  explicit Bench(const Kind& kind)
      : guest_(kind.make(loop_)), device_(std::make_unique<DelayedDevice>(loop_, kind.speed, Nanoseconds(0))) {
    if (!guest_->bus().attach(*device_)) throw std::runtime_error("the device found no port");
    guest_->bring_up();
    guest_->on_interrupt = [this] { step(); };
  }
  ~Bench() { guest_->bus().detach(*device_); }

  [[nodiscard]] ControllerGuest& guest() { return *guest_; }
  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] std::uint64_t requests() const { return device_->requests(); }
  void set_delay(double seconds) {
    device_->set_delay(std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds)));
  }

  /// Moves `total` data sets with `in_flight` of them queued at any time; bytes per second.
  double move(Direction direction, std::uint32_t bytes, unsigned in_flight, std::uint64_t total) {
    direction_ = direction;
    bytes_ = bytes;
    in_flight_ = in_flight;
    total_ = total;
    queued_ = ended_ = 0;
    const Stopwatch watch;
    step();
    while (ended_ < total_) loop_.run_once(std::chrono::milliseconds(100));
    return static_cast<double>(bytes) * static_cast<double>(total) / watch.seconds();
  }

 private:
  /// The driver's interrupt handler.
  void step() {
    ended_ += guest_->take_ended();
    while (queued_ < total_ && queued_ - ended_ < in_flight_) {
      guest_->queue(direction_, bytes_, static_cast<unsigned>(queued_ % in_flight_));
      ++queued_;
    }
  }

  EventLoop loop_;
  std::unique_ptr<ControllerGuest> guest_;
  std::unique_ptr<DelayedDevice> device_;
  Direction direction_ = Direction::in;
  std::uint32_t bytes_ = 0;
  unsigned in_flight_ = 1;
  std::uint64_t total_ = 0;
  std::uint64_t queued_ = 0;
  std::uint64_t ended_ = 0;
};

/// min(B, k·N / (D + N/B))
double allowed(double bandwidth, unsigned in_flight, double data_set, double delay) {
  return std::min(bandwidth, in_flight * data_set / (delay + data_set / bandwidth));
}

void measure_delays(Bench& bench, std::vector<BatchingResult>& results, bool counts) {
  double bandwidth = 0;
  for (BatchingResult& result : results) {
    bench.set_delay(result.delay_seconds);
    const double guess = bandwidth == 0 ? 100e6 : allowed(bandwidth, result.in_flight, kDataSet, result.delay_seconds);
    const auto total = static_cast<std::uint64_t>(kLongestRun * guess / kDataSet);
    const std::uint64_t data_sets = std::clamp<std::uint64_t>(total, 4, kMostDataSets);
    const std::uint64_t before = bench.requests();
    const double rate = bench.move(result.direction, result.data_set, result.in_flight, data_sets);
    result.requests_per_data_set = static_cast<double>(bench.requests() - before) / static_cast<double>(data_sets);
    result.packets_per_request =
        static_cast<double>(result.data_set) / bench.guest().packet() / std::max(1e-9, result.requests_per_data_set);
    if (result.delay_seconds == 0) bandwidth = rate;
    if (!counts) continue;
    result.bytes_per_second.add(rate);
    result.ratio.add(rate / allowed(bandwidth, result.in_flight, kDataSet, result.delay_seconds));
  }
}

}  // namespace

std::vector<BatchingResult> measure_batching(unsigned repetitions) {
  std::vector<BatchingResult> all;
  for (const Kind& kind : kKinds) {
    Bench bench(kind);
    for (const Direction direction : {Direction::in, Direction::out}) {
      for (const unsigned in_flight : kInFlight) {
        std::vector<BatchingResult> results;
        for (const double delay : kDelays) {
          results.push_back({.controller = std::string(bench.guest().name()),
                             .direction = direction,
                             .data_set = kDataSet,
                             .in_flight = in_flight,
                             .delay_seconds = delay});
        }
        for (unsigned i = 0; i <= repetitions; ++i) measure_delays(bench, results, i != 0);
        std::ranges::move(results, std::back_inserter(all));
      }
    }
  }
  return all;
}

std::vector<CostResult> measure_cost(unsigned repetitions) {
  std::vector<CostResult> all;
  for (const Kind& kind : kKinds) {
    Bench bench(kind);
    for (const Direction direction : {Direction::in, Direction::out}) {
      for (const std::uint32_t data_set : {4u * 1024, 64u * 1024, 120u * 1024}) {
        CostResult result{.controller = std::string(bench.guest().name()),
                          .direction = direction,
                          .data_set = data_set,
                          .packets = (data_set + bench.guest().packet() - 1) / bench.guest().packet()};
        constexpr std::uint64_t kDataSets = 400;
        for (unsigned i = 0; i <= repetitions; ++i) {
          const double before = processor_seconds(0);
          (void)bench.move(direction, data_set, 4, kDataSets);
          const double nanoseconds = (processor_seconds(0) - before) * 1e9 / kDataSets;
          if (i == 0) continue;
          result.nanoseconds_per_byte.add(nanoseconds / data_set);
          result.nanoseconds_per_packet.add(nanoseconds / static_cast<double>(result.packets));
        }
        all.push_back(std::move(result));
      }
    }
  }
  return all;
}

void move_data_sets(std::string_view controller, Direction direction, std::uint32_t bytes, std::uint64_t data_sets) {
  for (const Kind& kind : kKinds) {
    Bench bench(kind);
    if (bench.guest().name() != controller) continue;
    (void)bench.move(direction, bytes, 4, data_sets);
    return;
  }
  throw std::runtime_error("no such controller");
}

std::vector<ControllerIdleResult> measure_controller_idle(unsigned seconds) {
  const auto wakeups_per_second = [](EventLoop& loop, double duration) {
    const Stopwatch watch;
    const std::uint64_t before = loop.wakeups();
    // The last sleep is this function's own.
    while (watch.seconds() < duration) {
      const double left = duration - watch.seconds();
      loop.run_once(std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(std::max(0.0, left))));
    }
    const std::uint64_t woken = loop.wakeups() - before;
    return static_cast<double>(woken > 0 ? woken - 1 : 0) / duration;
  };
  std::vector<ControllerIdleResult> all;
  for (const Kind& kind : kKinds) {
    Bench bench(kind);
    ControllerIdleResult result{.controller = std::string(bench.guest().name()), .running = 0, .stopped = 0};
    (void)wakeups_per_second(bench.loop(), kSettleSeconds);
    result.running = wakeups_per_second(bench.loop(), seconds);
    bench.guest().set_running(false);
    (void)wakeups_per_second(bench.loop(), kSettleSeconds);
    result.stopped = wakeups_per_second(bench.loop(), seconds);
    all.push_back(std::move(result));
  }
  return all;
}

}  // namespace periplex::bench

// SPDX-License-Identifier: Apache-2.0
// `periplex_bench [REPETITIONS [IDLE_SECONDS]]`: measures with a software guest and prints JSON; see README.md.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fmt/format.h>

#include "bench/batching.hpp"
#include "bench/bulk.hpp"
#include "bench/idle.hpp"
#include "bench/round_trip.hpp"

namespace periplex::bench {
namespace {

constexpr unsigned kRepetitions = 7;
constexpr unsigned kIdleSeconds = 5;
constexpr double kBulkAim = 0.5;
constexpr double kRoundTripAim = 1.3;
constexpr std::uint64_t kResidentAim = std::uint64_t{16} << 20;

std::string_view direction(usb::Direction way) {
  return way == usb::Direction::in ? "in" : "out";
}

std::string json(const Samples& samples) {
  return fmt::format(R"({{"median": {:.6g}, "min": {:.6g}, "max": {:.6g}}})", samples.median(), samples.min(),
                     samples.max());
}

std::string json(const BulkResult& result) {
  return fmt::format(R"({{"direction": "{}", "td_bytes": {}, "queued": {}, "bytes_per_second": {}, )"
                     R"("memcpy_bytes_per_second": {}, "ratio": {}, "processor_ratio": {}}})",
                     direction(result.direction), result.td_bytes, result.queued, json(result.bytes_per_second),
                     json(result.memcpy_bytes_per_second), json(result.ratio), json(result.processor_ratio));
}

std::string json(const RoundTripResult& result) {
  return fmt::format(R"({{"register_read_seconds": {}, "bare_socket_seconds": {}, "ratio": {}}})",
                     json(result.register_read), json(result.bare_socket), json(result.ratio));
}

std::string json(const BatchingResult& result) {
  return fmt::format(
      R"({{"controller": "{}", "direction": "{}", "data_set_bytes": {}, "in_flight": {}, "delay_seconds": {:.6g}, )"
      R"("requests_per_data_set": {:.6g}, "packets_per_request": {:.6g}, "bytes_per_second": {}, "ratio": {}}})",
      result.controller, direction(result.direction), result.data_set, result.in_flight, result.delay_seconds,
      result.requests_per_data_set, result.packets_per_request, json(result.bytes_per_second), json(result.ratio));
}

std::string json(const CostResult& result) {
  return fmt::format(
      R"({{"controller": "{}", "direction": "{}", "data_set_bytes": {}, "packets": {}, "nanoseconds_per_byte": {}, )"
      R"("nanoseconds_per_packet": {}}})",
      result.controller, direction(result.direction), result.data_set, result.packets,
      json(result.nanoseconds_per_byte), json(result.nanoseconds_per_packet));
}

std::string json(const ControllerIdleResult& result) {
  return fmt::format(R"({{"controller": "{}", "running_wakeups_per_second": {:.6g}, )"
                     R"("stopped_wakeups_per_second": {:.6g}}})",
                     result.controller, result.running, result.stopped);
}

template <typename Result>
std::string json(const std::vector<Result>& results) {
  std::string text;
  for (const Result& result : results) text += (text.empty() ? "\n    " : ",\n    ") + json(result);
  return fmt::format("[{}\n  ]", text);
}

std::string json(const IdleResult& result) {
  return fmt::format(R"({{"seconds": {}, "wakeups": {}, "resident_bytes": {}, "private_bytes": {}}})", result.seconds,
                     result.wakeups, result.resident_bytes, result.private_bytes);
}

/// The number in `text`, or `otherwise`.
unsigned number(const char* text, unsigned otherwise) {
  unsigned value = otherwise;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
  return value;
}

void run(unsigned repetitions, unsigned idle_seconds) {
  const IdleResult idle = measure_idle(idle_seconds);  // first: a worker is forked, and would inherit what others leave
  fmt::print(
      "{{\n  \"aims\": {{\"bulk_ratio_at_least\": {}, \"round_trip_ratio_at_most\": {}, \"idle_wakeups\": 0, "
      "\"resident_bytes_at_most\": {}}},\n",
      kBulkAim, kRoundTripAim, kResidentAim);
  fmt::print("  \"repetitions\": {},\n  \"bulk\": {},\n", repetitions, json(measure_bulk(repetitions)));
  fmt::print("  \"batching\": {},\n", json(measure_batching(repetitions)));
  fmt::print("  \"cost\": {},\n", json(measure_cost(repetitions)));
  fmt::print("  \"controller_idle\": {},\n", json(measure_controller_idle(idle_seconds)));
  fmt::print("  \"round_trip\": {},\n", json(measure_round_trip(repetitions)));
  fmt::print("  \"idle\": {}\n}}\n", json(idle));
}

}  // namespace
}  // namespace periplex::bench

int main(int argc, char** argv) {
  try {
    // periplex_bench move CONTROLLER in|out BYTES DATA-SETS
    if (argc == 6 && std::string_view(argv[1]) == "move") {
      const auto way = std::string_view(argv[3]) == "in" ? periplex::usb::Direction::in : periplex::usb::Direction::out;
      periplex::bench::move_data_sets(argv[2], way, periplex::bench::number(argv[4], 0),
                                      periplex::bench::number(argv[5], 0));
      return 0;
    }
    periplex::bench::run(periplex::bench::number(argc > 1 ? argv[1] : nullptr, periplex::bench::kRepetitions),
                         periplex::bench::number(argc > 2 ? argv[2] : nullptr, periplex::bench::kIdleSeconds));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}

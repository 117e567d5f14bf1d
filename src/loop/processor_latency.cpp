// SPDX-License-Identifier: Apache-2.0
#include "loop/processor_latency.hpp"

#include <unistd.h>

namespace periplex {
namespace {

constexpr std::int32_t kNoLatency = 0;
constexpr std::int32_t kAnyLatency = 2'000'000'000;  // the kernel's own default, µs

}  // namespace

ProcessorLatency::ProcessorLatency(Scheduler& scheduler, UniqueFd device)
    : scheduler_(scheduler), device_(std::move(device)), timer_(scheduler.make_timer([this] { on_timer(); })) {}

void ProcessorLatency::touch() {
  last_ = scheduler_.now();
  if (held_) return;
  request(kNoLatency);
  held_ = true;
  timer_->arm(kHold);
}

void ProcessorLatency::on_timer() {
  const Nanoseconds quiet = scheduler_.now() - last_;
  if (quiet < kHold) return timer_->arm(kHold - quiet);
  request(kAnyLatency);
  held_ = false;
}

/// A refusal changes nothing but speed.
void ProcessorLatency::request(std::int32_t microseconds) {
  (void)!::pwrite(device_.get(), &microseconds, sizeof microseconds, 0);
}

}  // namespace periplex

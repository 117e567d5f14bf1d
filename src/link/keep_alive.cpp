// SPDX-License-Identifier: Apache-2.0
#include "link/keep_alive.hpp"

#include <utility>

namespace periplex::link {

KeepAlive::KeepAlive(Scheduler& scheduler, Hooks hooks)
    : scheduler_(scheduler), hooks_(std::move(hooks)), timer_(scheduler.make_timer([this] { tick(); })) {}

void KeepAlive::start(Nanoseconds interval, bool pings) {
  interval_ = interval;
  pings_ = pings;
  silent_ = 0;
  silent_elsewhere_ = kMaxSilent + 1;
  sent_at_.reset();
  timer_->arm(interval_);
  if (pings_) send_ping();  // so that the round trip is known early
}

void KeepAlive::stop() {
  timer_->cancel();
}

void KeepAlive::answered(std::uint64_t token) {
  if (token != token_ || !sent_at_) return;
  const Nanoseconds measured = scheduler_.now() - *sent_at_;
  sent_at_.reset();
  smoothed_ = smoothed_ ? (*smoothed_ * 7 + measured) / 8 : measured;
}

void KeepAlive::tick() {
  const bool yet_there = ++silent_elsewhere_ <= kMaxSilent;
  if (++silent_ > (yet_there ? kMaxSilentYetThere : kMaxSilent)) return hooks_.dead();
  timer_->arm(interval_);
  if (pings_) send_ping();
}

void KeepAlive::send_ping() {
  // While a ping is not answered the next ones are not measured: which of them a late answer meant is not known
  // better than that its time began with the first.
  if (!sent_at_) {
    sent_at_ = scheduler_.now();
    ++token_;
  }
  hooks_.ping(token_);
}

}  // namespace periplex::link

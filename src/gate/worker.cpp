// SPDX-License-Identifier: Apache-2.0
#include "gate/worker.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace periplex::gate {
namespace {

// What a worker says begins with one of these; the peripheral's name follows.
constexpr char kWaits = '+';
constexpr char kWaitsNoMore = '-';

}  // namespace

Worker::Worker(EventLoop& loop, std::string machine, Events events)
    : loop_(loop),
      machine_(std::move(machine)),
      events_(std::move(events)),
      reconnect_(loop.make_timer([this] { ask(); })) {
  reconnect_->arm(Nanoseconds(0));
}

std::uint64_t Worker::wish(std::string_view unique_name) const {
  const auto found = wishes_.find(unique_name);
  return found == wishes_.end() ? 0 : found->second;
}

bool Worker::hand_over(std::string_view unique_name, const UniqueFd& stream) {
  return socket_ != nullptr && socket_->send(unique_name, stream.get());
}

void Worker::ask() {
  ask_later();  // unless an answer comes
  events_.ask(machine_);
}

void Worker::ask_later() {
  reconnect_->arm(retry_);
  retry_ = std::min(retry_ * 2, kLastRetry);
}

void Worker::connected(UniqueFd socket) {
  reconnect_->cancel();
  retry_ = kFirstRetry;
  if (socket_) loop_.defer([old = std::move(socket_)] {});
  wishes_.clear();
  socket_ = std::make_unique<MessageSocket>(
      loop_, std::move(socket),
      MessageSocket::Events{.received = [this](std::string_view text, UniqueFd) { received(text); },
                            .closed = [this] { lost(); }});
  log::info("gate", fmt::format("the worker of {} is there", machine_));
  events_.changed();
}

void Worker::received(std::string_view text) {
  const std::string_view name = text.substr(1);
  if (text.front() == kWaits && !wishes_.contains(name) && wishes_.size() < kMaxWishes) {
    wishes_.emplace(name, ++last_wish_);
  } else if (text.front() == kWaitsNoMore) {
    if (const auto found = wishes_.find(name); found != wishes_.end()) wishes_.erase(found);
  } else {
    if (limit_.allow(loop_.now())) {
      log::warning("gate", fmt::format("the worker of {} says what it should not", machine_));
    }
    return;
  }
  events_.changed();
}

void Worker::lost() {
  log::info("gate", fmt::format("the worker of {} is gone", machine_));
  loop_.defer([old = std::move(socket_)] {});
  wishes_.clear();
  ask_later();
  events_.changed();
}

}  // namespace periplex::gate

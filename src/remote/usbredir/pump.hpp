// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "remote/usbredir/wire.hpp"

namespace periplex::remote::usbredir {

/// One endpoint of the far end that is to send, or to take, without being asked for each packet: the usb-guest's view.
class Pump {
 public:
  enum class State : std::uint8_t { stopped, starting, running };

  Pump(Wire& wire, const StartPump& settings) : wire_(wire), settings_(settings) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const StartPump& settings() const { return settings_; }

  void start() {
    state_ = State::starting;
    started_by_ = wire_.request(settings_);
  }
  void stop() {
    if (state_ == State::stopped) return;
    (void)wire_.request(StopPump{.kind = settings_.kind, .endpoint = settings_.endpoint});
    state_ = State::stopped;
  }
  /// The far end has stopped it by itself.
  void forget() { state_ = State::stopped; }

  /// What a status means for who waits for packets; empty: nothing. The number tells the answer to `start` from what is
  /// still on its way of an earlier run.
  std::optional<Result> on_status(MessageId id, Result result) {
    if (state_ == State::stopped || (state_ == State::starting && id != started_by_)) return std::nullopt;
    if (result == Result::success) {
      state_ = State::running;
      return std::nullopt;
    }
    // "the usb-host will always report usb_redir_stall as status if the stream was stopped": others are only news.
    if (state_ == State::starting || result == Result::stall) state_ = State::stopped;
    return result;
  }

 private:
  Wire& wire_;
  const StartPump settings_;
  State state_ = State::stopped;
  MessageId started_by_ = 0;
};

}  // namespace periplex::remote::usbredir

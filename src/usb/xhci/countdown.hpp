// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace periplex::usb::xhci {

/// Calls `done` once, when everything that `one` was handed to has ended and the countdown itself has gone: so it is
/// called at the end even if all was over at once, or there was nothing. What is dropped uncalled never counts down.
class Countdown {
 public:
  using Done = std::move_only_function<void()>;

  explicit Countdown(Done done) : state_(std::make_shared<State>(State{1, std::move(done)})) {}
  Countdown(const Countdown&) = delete;
  Countdown& operator=(const Countdown&) = delete;
  ~Countdown() { end(*state_); }

  /// Something more to wait for; call what this gives when it has ended.
  [[nodiscard]] auto one() const {
    ++state_->waiting;
    return [state = state_] { end(*state); };
  }

 private:
  struct State {
    unsigned waiting;
    Done done;
  };

  static void end(State& state) {
    if (--state.waiting == 0) state.done();
  }

  std::shared_ptr<State> state_;
};

}  // namespace periplex::usb::xhci

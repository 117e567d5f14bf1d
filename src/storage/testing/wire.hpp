// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "base/time.hpp"
#include "storage/message_carrier.hpp"

namespace periplex::storage::testing {

/// Two carriers that are each other's far end, with a delay each way and perhaps a rate. A message that arrives is
/// taken in one piece.
class Wire {
 public:
  Wire(Scheduler& scheduler, Nanoseconds round_trip, double bytes_per_second = 0)
      : worker(scheduler, round_trip / 2, bytes_per_second), agent(scheduler, round_trip / 2, bytes_per_second) {
    worker.far_ = &agent;
    agent.far_ = &worker;
  }

  void set_round_trip(Nanoseconds round_trip) { worker.delay_ = agent.delay_ = round_trip / 2; }

  class End final : public MessageCarrier {
   public:
    End(Scheduler& scheduler, Nanoseconds delay, double rate)
        : scheduler_(scheduler), delay_(delay), rate_(rate), timer_(scheduler.make_timer([this] { deliver(); })) {}

    void send(Bytes message) override {
      ++sent;
      bytes_sent += message.size();
      const Nanoseconds begin = std::max(scheduler_.now(), free_at_);
      const double seconds = rate_ > 0 ? static_cast<double>(message.size()) / rate_ : 0;
      free_at_ = begin + Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
      on_the_way_.push_back({free_at_ + delay_, std::move(message)});
      if (!timer_->armed()) arm();
    }
    void set_receiver(Receiver* receiver) override { receiver_ = receiver; }

    std::size_t sent = 0;
    std::size_t bytes_sent = 0;

   private:
    friend class Wire;
    void arm() {
      if (!on_the_way_.empty()) timer_->arm(std::max(on_the_way_.front().first - scheduler_.now(), Nanoseconds(0)));
    }
    void deliver() {
      while (!on_the_way_.empty() && on_the_way_.front().first <= scheduler_.now()) {
        const Bytes message = std::move(on_the_way_.front().second);
        on_the_way_.pop_front();
        if (far_->receiver_ != nullptr) far_->receiver_->on_message(message);
      }
      arm();
    }

    Scheduler& scheduler_;
    Nanoseconds delay_;
    const double rate_;
    End* far_ = nullptr;
    Receiver* receiver_ = nullptr;
    Nanoseconds free_at_{};
    std::deque<std::pair<Nanoseconds, Bytes>> on_the_way_;
    std::unique_ptr<Timer> timer_;
  };

  End worker;
  End agent;
};

}  // namespace periplex::storage::testing

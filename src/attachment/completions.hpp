// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "base/time.hpp"
#include "usb/transfer.hpp"

namespace periplex::attachment {

/// Transfers on their way back to the guest: they complete on the loop, in order, after the current event, and so never
/// inside a call of the guest's controller. What is still here when this dies is completed there and then.
class Completions {
 public:
  explicit Completions(Scheduler& scheduler) : scheduler_(scheduler) {}
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;
  ~Completions() { shared_->complete(shared_->finished.size()); }

  void push(usb::TransferPtr transfer, usb::Completion completion) {
    shared_->finished.push_back({std::move(transfer), completion});
    if (std::exchange(shared_->scheduled, true)) return;
    scheduler_.defer([shared = shared_] {
      shared->scheduled = false;
      shared->complete(shared->finished.size());
    });
  }

 private:
  struct Finished {
    usb::TransferPtr transfer;
    usb::Completion completion;
  };
  /// Outlives the queue inside a deferred task.
  struct Shared {
    /// Owners may push meanwhile, or end the queue.
    void complete(std::size_t count) {
      for (; count > 0 && !finished.empty(); --count) {
        Finished next = std::move(finished.front());
        finished.pop_front();
        usb::Transfer::complete(std::move(next.transfer), next.completion);
      }
    }
    std::deque<Finished> finished;
    bool scheduled = false;
  };

  Scheduler& scheduler_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace periplex::attachment

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/completion_queue.hpp"

#include <deque>

namespace periplex::usb::device {

struct CompletionQueue::Shared {
  struct Finished {
    TransferPtr transfer;
    Completion completion;
  };

  /// Completes the `count` oldest. Owners may push meanwhile, or destroy the queue.
  void complete(std::size_t count) {
    for (; count > 0 && !finished.empty(); --count) {
      Finished next = std::move(finished.front());
      finished.pop_front();
      Transfer::complete(std::move(next.transfer), next.completion);
    }
  }

  std::deque<Finished> finished;
  bool scheduled = false;
};

CompletionQueue::CompletionQueue(Scheduler& scheduler) : scheduler_(scheduler), shared_(std::make_shared<Shared>()) {}

CompletionQueue::~CompletionQueue() {
  shared_->complete(shared_->finished.size());
}

void CompletionQueue::push(TransferPtr transfer, Completion completion) {
  shared_->finished.push_back({std::move(transfer), completion});
  if (std::exchange(shared_->scheduled, true)) return;
  scheduler_.defer([shared = shared_] {
    // What is pushed from now on, by owners that submit again, gets a task of its own: the loop sees other events too.
    shared->scheduled = false;
    shared->complete(shared->finished.size());
  });
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/time.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::device {

/// Finished transfers on their way back: they complete on the loop, in order, after the current event.
///
/// One deferred task serves all transfers that finish during an event. What is still queued when the queue dies is
/// completed there and then, so that no completion is ever lost.
class CompletionQueue {
 public:
  explicit CompletionQueue(Scheduler& scheduler);
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  ~CompletionQueue();

  void push(TransferPtr transfer, Completion completion);

 private:
  struct Shared;  // outlives the queue inside a deferred task

  Scheduler& scheduler_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace periplex::usb::device

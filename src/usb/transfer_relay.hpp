// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "usb/transfer.hpp"

namespace periplex::usb {

/// Takes back what somebody has submitted who may go before it comes. It lives until the last of it has come, even if
/// nobody is there any more.
class TransferRelay final : public TransferOwner, public std::enable_shared_from_this<TransferRelay> {
 public:
  using Back = std::function<void(Transfer&, Completion)>;
  explicit TransferRelay(Back back) : back_(std::move(back)) {}

  /// To be called for each transfer that it owns, before the device gets it.
  void sent() {
    ++outstanding_;
    self_ = shared_from_this();
  }
  /// Nobody is there any more: `back` is not called again.
  void orphan() { back_ = nullptr; }

  void on_complete(TransferPtr transfer, Completion completion) override {
    const std::shared_ptr<TransferRelay> keep = --outstanding_ == 0 ? std::move(self_) : self_;
    const Back back = back_;  // it may orphan us
    if (back) back(*transfer, completion);
  }

 private:
  Back back_;
  std::size_t outstanding_ = 0;
  std::shared_ptr<TransferRelay> self_;  // while something is outstanding
};

}  // namespace periplex::usb

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "remote/usbip/exporter.hpp"

namespace periplex::remote::usbip {

/// Takes back what an exporter has submitted. It lives until the last of it has come, even if nobody is there any more.
class Exporter::Relay final : public usb::TransferOwner {
 public:
  using Back = std::function<void(usb::Transfer&, usb::Completion)>;
  explicit Relay(Back back) : back_(std::move(back)) {}

  void sent(std::shared_ptr<Relay> self) {
    ++outstanding_;
    self_ = std::move(self);
  }
  void orphan() { back_ = nullptr; }

  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const std::shared_ptr<Relay> keep = --outstanding_ == 0 ? std::move(self_) : self_;
    if (back_) back_(*transfer, completion);
  }

 private:
  Back back_;
  std::size_t outstanding_ = 0;
  std::shared_ptr<Relay> self_;  // while something is outstanding
};

}  // namespace periplex::remote::usbip

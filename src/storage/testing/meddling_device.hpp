// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "usb/device.hpp"

namespace periplex::storage::testing {

/// Stands in front of a device and does to its transfers what a test wants.
class MeddlingDevice final : public usb::Device, private usb::TransferOwner {
 public:
  enum class Fate { pass, swallow, fail };

  MeddlingDevice(usb::Device& device, Scheduler& scheduler) : device_(device), scheduler_(scheduler) {}
  ~MeddlingDevice() override { unplug(); }

  /// What becomes of a transfer that is submitted. `fail` completes it with `failure`.
  std::function<Fate(usb::Transfer&)> on_submit;
  usb::Status failure = usb::Status::stall;
  /// May change what a transfer comes back with.
  std::function<void(usb::Transfer&, usb::Completion&)> on_answer;
  unsigned resets = 0;

  /// Everything that is held ends with `disconnected`.
  void unplug() {
    for (auto& transfer : std::exchange(held_, {})) {
      usb::Transfer::complete(std::move(transfer), {usb::Status::disconnected, 0});
    }
  }

  [[nodiscard]] usb::Speed speed() const override { return device_.speed(); }
  void submit(usb::TransferPtr transfer) override {
    const Fate fate = on_submit ? on_submit(*transfer) : Fate::pass;
    if (fate == Fate::swallow) return held_.push_back(std::move(transfer));
    if (fate == Fate::fail) {
      scheduler_.defer([transfer = std::move(transfer), status = failure]() mutable {
        usb::Transfer::complete(std::move(transfer), {status, 0});
      });
      return;
    }
    owners_[transfer->id()] = &transfer->interpose(*this);
    device_.submit(std::move(transfer));
  }
  void cancel(usb::TransferId id) override {
    for (auto each = held_.begin(); each != held_.end(); ++each) {
      if ((*each)->id() != id) continue;
      scheduler_.defer([transfer = std::move(*each)]() mutable {
        usb::Transfer::complete(std::move(transfer), {usb::Status::cancelled, 0});
      });
      held_.erase(each);
      return;
    }
    device_.cancel(id);
  }
  void reset() override {
    ++resets;
    while (!held_.empty()) cancel(held_.front()->id());
    device_.reset();
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const auto found = owners_.find(transfer->id());
    usb::TransferOwner& owner = *found->second;
    owners_.erase(found);
    if (on_answer) on_answer(*transfer, completion);
    (void)transfer->interpose(owner);
    usb::Transfer::complete(std::move(transfer), completion);
  }

  usb::Device& device_;
  Scheduler& scheduler_;
  std::vector<usb::TransferPtr> held_;
  std::map<usb::TransferId, usb::TransferOwner*> owners_;
};

}  // namespace periplex::storage::testing

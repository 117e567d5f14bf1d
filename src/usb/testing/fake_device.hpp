// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/time.hpp"
#include "usb/device.hpp"

namespace periplex::usb::testing {

/// A device that keeps every transfer until the test completes it, and remembers what it was asked.
///
/// By default it answers SET_ADDRESS, cancels and resets by itself, from the loop; each can be switched off, so that a
/// test decides when the answer comes. What it still holds when it is destroyed is completed with `disconnected`.
class FakeDevice final : public Device {
 public:
  FakeDevice(Scheduler& scheduler, Speed speed) : scheduler_(scheduler), speed_(speed) {}
  ~FakeDevice() override {
    *alive_ = false;
    while (!held_.empty()) complete_at(0, {.status = Status::disconnected});
  }
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;

  // What the test decides
  bool answers_set_address = true;
  bool answers_cancels = true;
  /// What a cancelled transfer had moved already.
  std::map<TransferId, std::uint32_t> moved_when_cancelled;

  // What the controller did
  std::vector<TransferId> cancels;
  std::vector<EndpointAddress> opened;
  std::size_t submitted = 0;
  unsigned resets = 0;
  unsigned suspends = 0;
  unsigned resumes = 0;
  std::function<void()> wake_up;

  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] std::size_t held(EndpointAddress endpoint) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(held_, [&](const auto& transfer) { return transfer->endpoint() == endpoint; }));
  }
  /// The `index`th transfer that is held, oldest first.
  [[nodiscard]] Transfer& at(std::size_t index) { return *held_.at(index); }

  /// Completes the oldest transfer of all endpoints with all its data.
  void complete_ok() { complete_at(0, {.actual = static_cast<std::uint32_t>(held_.at(0)->data.size())}); }
  /// Completes the oldest with `actual` bytes.
  void complete(Status status, std::uint32_t actual = 0) { complete_at(0, {status, actual}); }
  void complete_at(std::size_t index, Completion completion) {
    TransferPtr transfer = std::move(held_.at(index));
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    Transfer::complete(std::move(transfer), completion);
  }
  /// The answers to all cancels that were asked for, where `answers_cancels` is off.
  void answer_cancels() {
    const std::vector<TransferId> asked = cancels;  // a completion may lead to more
    for (const TransferId id : asked) end(id);
  }

  [[nodiscard]] Speed speed() const override { return speed_; }
  void submit(TransferPtr transfer) override {
    ++submitted;
    const TransferId id = transfer->id();
    const bool set_address = transfer->setup && transfer->setup->is(StandardRequest::set_address, 0);
    held_.push_back(std::move(transfer));
    if (set_address && answers_set_address) later([this, id] { end(id, Status::ok); });
  }
  void cancel(TransferId id) override {
    cancels.push_back(id);
    if (answers_cancels) later([this, id] { end(id); });
  }
  void reset() override {
    ++resets;
    for (const auto& transfer : held_) cancel(transfer->id());
  }
  void endpoint_opened(EndpointAddress endpoint) override { opened.push_back(endpoint); }
  void suspend() override { ++suspends; }
  void resume() override { ++resumes; }
  void set_wake_up(std::function<void()> function) override { wake_up = std::move(function); }

 private:
  template <typename Task>
  void later(Task task) {
    scheduler_.defer([task = std::move(task), alive = alive_] {
      if (*alive) task();
    });
  }
  void end(TransferId id, Status status = Status::cancelled) {
    const auto found = std::ranges::find(held_, id, [](const auto& transfer) { return transfer->id(); });
    if (found == held_.end()) return;
    const auto moved = moved_when_cancelled.find(id);
    complete_at(static_cast<std::size_t>(found - held_.begin()),
                {status, moved == moved_when_cancelled.end() ? 0 : moved->second});
  }

  Scheduler& scheduler_;
  Speed speed_;
  std::deque<TransferPtr> held_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace periplex::usb::testing

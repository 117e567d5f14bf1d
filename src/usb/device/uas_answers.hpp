// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/bytes.hpp"
#include "usb/device/uas_pipes.hpp"

namespace periplex::usb::device {

/// The IUs that wait until the host fetches them from the status pipe; at most one for each tag.
class UasAnswers {
 public:
  UasAnswers(UasPipes& pipes, const UasLink& link) : pipes_(pipes), link_(link) {}

  void push(std::uint16_t tag, Bytes iu) { waiting_.push_back({tag, std::move(iu)}); }
  /// Gives the oldest IU that a transfer waits for, and returns its tag. Without streams that is the oldest of all;
  /// streams do not wait for each other.
  [[nodiscard]] std::optional<std::uint16_t> deliver();

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool holds(std::uint16_t tag) const;
  /// Whatever waits for `tag` is not to be said any more.
  void forget(std::uint16_t tag);
  void clear() { waiting_.clear(); }

 private:
  struct Answer {
    std::uint16_t tag;
    Bytes iu;
  };

  [[nodiscard]] bool give(const Answer& answer);

  UasPipes& pipes_;
  const UasLink link_;
  std::deque<Answer> waiting_;
};

}  // namespace periplex::usb::device

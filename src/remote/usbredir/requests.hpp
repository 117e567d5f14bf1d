// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "remote/usbredir/messages.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::remote::usbredir {

/// Transfers that the far end answers one by one, under the numbers of their requests.
///
/// Those of one endpoint, or of one stream, go back in the order of their requests, in whatever order answers come.
class Requests {
 public:
  explicit Requests(usb::device::CompletionQueue& completions) : completions_(completions) {}

  void add(MessageId id, usb::TransferPtr transfer);
  /// The transfer that waits for answer `id`; null if none does: it was cancelled, or nobody ever asked.
  [[nodiscard]] usb::Transfer* find(MessageId id);
  /// Answer `id` has come.
  void finish(MessageId id, usb::Completion completion);
  /// Gives `transfer` back at once, with `cancelled`; its answer will find nobody. Empty: it is none of ours.
  std::optional<MessageId> cancel(usb::TransferId transfer);
  /// Gives all back.
  void finish_all(usb::Status status);

 private:
  struct Entry {
    MessageId id;
    usb::TransferPtr transfer;
    std::optional<usb::Completion> answer;
  };
  using Lane = std::deque<Entry>;

  [[nodiscard]] static std::uint32_t lane_of(const usb::Transfer& transfer);
  [[nodiscard]] Entry* entry(MessageId id);
  void flush(std::uint32_t lane);

  usb::device::CompletionQueue& completions_;
  std::map<std::uint32_t, Lane> lanes_;
  std::unordered_map<MessageId, std::uint32_t> by_id_;
  std::unordered_map<usb::TransferId, MessageId> by_transfer_;
};

}  // namespace periplex::remote::usbredir

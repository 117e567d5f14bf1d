// SPDX-License-Identifier: Apache-2.0
#include "storage/attached/part_carrier.hpp"

#include <algorithm>
#include <utility>

#include "storage/attached/parts.hpp"

namespace periplex::storage {

void PartCarrier::begin(attachment::ExtensionLink& link) {
  end();
  link_ = &link;
}

void PartCarrier::end() {
  link_ = nullptr;
  waiting_.clear();
  sent_ = waiting_bytes_ = 0;
  arriving_ = {};
}

void PartCarrier::send(Bytes message) {
  if (link_ == nullptr) return;
  waiting_bytes_ += message.size();
  waiting_.push_back(std::move(message));
  flush();
}

void PartCarrier::flush() {
  while (link_ != nullptr && !waiting_.empty() && link_->has_room()) {
    const ByteView rest = ByteView(waiting_.front()).subspan(sent_);
    const ByteView now = rest.first(std::min(rest.size(), kMaxPart));
    const bool last = now.size() == rest.size();
    Bytes part;
    part.reserve(1 + now.size());
    part.push_back(last ? kLastPart : kPart);
    part.insert(part.end(), now.begin(), now.end());
    sent_ += now.size();
    waiting_bytes_ -= now.size();
    if (last) {
      waiting_.pop_front();
      sent_ = 0;
    }
    link_->send(std::move(part));
  }
}

attachment::Verdict PartCarrier::on_part(ByteView part) {
  const bool last = part.front() == kLastPart;
  const ByteView bytes = part.subspan(1);
  if (bytes.empty()) return attachment::violation("an empty part of a storage message");
  if (bytes.size() > kMaxMessage - arriving_.size()) return attachment::violation("a storage message that is too long");
  if (!last || !arriving_.empty()) arriving_.insert(arriving_.end(), bytes.begin(), bytes.end());
  if (!last) return {};
  const Bytes whole = std::exchange(arriving_, {});
  if (receiver_ != nullptr) receiver_->on_message(whole.empty() ? bytes : ByteView(whole));
  return {};
}

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/uas_answers.hpp"

#include <algorithm>

#include "base/trace.hpp"

namespace periplex::usb::device {

std::optional<std::uint16_t> UasAnswers::deliver() {
  for (auto answer = waiting_.begin(); answer != waiting_.end(); ++answer) {
    const std::uint16_t tag = answer->tag;
    if (give(*answer)) {
      waiting_.erase(answer);
      return tag;
    }
    if (!link_.streams) break;
  }
  return std::nullopt;
}

bool UasAnswers::give(const Answer& answer) {
  while (TransferPtr transfer = pipes_.take(UasPipe::status, link_.stream_of(answer.tag))) {
    const auto moved = static_cast<std::uint32_t>(transfer->data.write(0, answer.iu));
    // A host that has no room for the packet has not acknowledged it, so the next attempt gets it again.
    const bool fits = moved == answer.iu.size();
    pipes_.finish(std::move(transfer), {fits ? Status::ok : Status::babble, moved});
    if (!fits) continue;
    trace::line("usb/device", "uas status {}", hex(answer.iu));
    return true;
  }
  return false;
}

bool UasAnswers::holds(std::uint16_t tag) const {
  return std::ranges::find(waiting_, tag, &Answer::tag) != waiting_.end();
}

void UasAnswers::forget(std::uint16_t tag) {
  std::erase_if(waiting_, [tag](const Answer& answer) { return answer.tag == tag; });
}

}  // namespace periplex::usb::device

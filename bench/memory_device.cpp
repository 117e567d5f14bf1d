// SPDX-License-Identifier: Apache-2.0
#include "bench/memory_device.hpp"

#include <cstring>
#include <utility>

namespace periplex::bench {

void MemoryDevice::submit(usb::TransferPtr transfer) {
  if (waiting_.empty()) scheduler_.defer([this] { work(); });
  waiting_.push_back(std::move(transfer));
}

void MemoryDevice::work() {
  for (usb::TransferPtr& transfer : std::exchange(waiting_, {})) {
    const std::uint32_t actual = transfer->setup ? 0 : move(*transfer);
    usb::Transfer::complete(std::move(transfer), {.actual = actual});
  }
}

std::uint32_t MemoryDevice::move(usb::Transfer& transfer) {
  std::size_t moved = 0;
  for (const MutableByteView span : transfer.data.spans()) {
    if (position_ + span.size() > memory_.size()) position_ = 0;
    std::byte* here = memory_.data() + position_;
    if (transfer.direction() == usb::Direction::in) {
      std::memcpy(span.data(), here, span.size());
    } else {
      std::memcpy(here, span.data(), span.size());
    }
    position_ += span.size();
    moved += span.size();
  }
  return static_cast<std::uint32_t>(moved);
}

}  // namespace periplex::bench

// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/event_ring.hpp"

#include <array>

#include "base/check.hpp"

namespace periplex::usb::xhci {
namespace {

// §6.5 Event Ring Segment Table: 16 bytes an entry; base in bits 63:6, size in bits 15:0 of the third dword
constexpr std::uint64_t kEntrySize = 16;
constexpr std::uint64_t kBaseMask = ~std::uint64_t{0x3f};
constexpr std::uint32_t kMinSegmentSize = 16;
constexpr std::uint32_t kMaxSegmentSize = 4096;

}  // namespace

bool EventRing::start(GuestAddress table, unsigned segments) {
  stop();
  if (segments == 0 || segments > kMaxSegments) return false;
  std::vector<Segment> read;
  std::uint32_t total = 0;
  for (unsigned i = 0; i < segments; ++i) {
    const auto entry = memory_.read<std::array<std::uint64_t, 2>>(table + i * kEntrySize);
    if (!entry) return false;
    const auto size = static_cast<std::uint32_t>((*entry)[1] & 0xffff);
    if (size < kMinSegmentSize || size > kMaxSegmentSize) return false;
    read.push_back({GuestAddress((*entry)[0] & kBaseMask), size, total});
    total += size;
  }
  segments_ = std::move(read);
  total_ = total;
  return true;
}

void EventRing::stop() {
  segments_.clear();
  total_ = enqueue_ = dequeue_ = 0;
  cycle_ = true;
}

void EventRing::set_dequeue(GuestAddress dequeue) {
  for (const Segment& segment : segments_) {
    const std::uint64_t index = (dequeue.value - segment.base.value) / kTrbSize;
    if (dequeue >= segment.base && index < segment.size) {
      dequeue_ = segment.first + static_cast<std::uint32_t>(index);
      return;
    }
  }
}

GuestAddress EventRing::address_of(std::uint32_t index) const {
  for (const Segment& segment : segments_) {
    if (index - segment.first < segment.size) return segment.base + (index - segment.first) * kTrbSize;
  }
  PERIPLEX_CHECK(false);
  return {};
}

std::expected<void, guest::Fault> EventRing::write(const Trb& event) {
  PERIPLEX_CHECK(room() > 0);
  const GuestAddress at = address_of(enqueue_);
  const auto control = static_cast<std::uint32_t>(trb::Cycle.set(event.control, cycle_ ? 1 : 0));
  const struct {
    std::uint64_t parameter;
    std::uint32_t status;
  } body{event.parameter, event.status};
  auto written = memory_.write(at, ByteView(reinterpret_cast<const std::byte*>(&body), 12));
  if (written) written = memory_.store_release(at + 12, control);
  if (!written) return written;
  if (++enqueue_ == total_) {
    enqueue_ = 0;
    cycle_ = !cycle_;
  }
  return {};
}

}  // namespace periplex::usb::xhci

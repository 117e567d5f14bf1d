// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/testing/producer_ring.hpp"

namespace periplex::usb::xhci::testing {
namespace {

constexpr std::uint64_t kControlOffset = 12;
constexpr std::uint32_t kToggleCycle = 1u << 1;
constexpr std::uint32_t kChain = 1u << 4;
constexpr std::uint32_t kLink = 6u << 10;

}  // namespace

ProducerRing::ProducerRing(GuestRam& ram, unsigned segments, unsigned trbs) : ram_(ram), trbs_(trbs) {
  for (unsigned i = 0; i < segments; ++i) segments_.push_back(ram_.allocate(trbs * kTrbSize, 0x1000));
}

void ProducerRing::store(GuestAddress at, const Trb& trb, bool cycle) const {
  ram_.write(at, trb.parameter);
  ram_.write(at + 8, trb.status);
  ram_.store_release(at + kControlOffset, (trb.control & ~1u) | (cycle ? 1u : 0u));
}

void ProducerRing::follow_link(bool chained) {
  if (index_ != trbs_ - 1) return;
  const unsigned next = (segment_ + 1) % static_cast<unsigned>(segments_.size());
  const std::uint32_t control = kLink | (next == 0 ? kToggleCycle : 0) | (chained ? kChain : 0);
  store(enqueue(), {segments_[next].value, 0, control, {}}, cycle_);
  segment_ = next;
  index_ = 0;
  if (next == 0) cycle_ = !cycle_;
}

GuestAddress ProducerRing::push(std::span<const Trb> td) {
  const GuestAddress first = enqueue();
  const bool first_cycle = cycle_;
  GuestAddress last;
  for (std::size_t i = 0; i < td.size(); ++i) {
    last = enqueue();
    store(last, td[i], i == 0 ? !cycle_ : cycle_);
    ++index_;
    follow_link((td[i].control & kChain) != 0);
  }
  ram_.store_release(first + kControlOffset, (td.front().control & ~1u) | (first_cycle ? 1u : 0u));
  return last;
}

}  // namespace periplex::usb::xhci::testing

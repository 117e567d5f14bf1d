// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/ring.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint64_t kControlOffset = 12;
constexpr std::uint64_t kSegmentPointerMask = ~std::uint64_t{0xf};  // §6.4.4.1: bits 3:0 are reserved

}  // namespace

std::expected<std::optional<Trb>, RingError> RingReader::next() {
  for (unsigned links = 0; links <= kMaxLinks; ++links) {
    const GuestAddress at = position_.address;
    const auto control = memory_.load_acquire(at + kControlOffset);
    if (!control) return std::unexpected(RingError::fault);
    if (trb::Cycle.test(*control) != position_.cycle) return std::nullopt;
    const auto parameter = memory_.read<std::uint64_t>(at);
    const auto status = memory_.read<std::uint32_t>(at + 8);
    if (!parameter || !status) return std::unexpected(RingError::fault);
    const Trb trb{*parameter, *status, *control, at};
    if (trb.type() != TrbType::link) {
      position_.address = at + kTrbSize;
      return trb;
    }
    // "If the Toggle Cycle (TC) flag is set the xHC toggles its interpretation of the Cycle bit"
    position_.address = GuestAddress(trb.parameter & kSegmentPointerMask);
    if (trb::ToggleCycle.test(trb.control)) position_.cycle = !position_.cycle;
  }
  return std::unexpected(RingError::endless_links);
}

}  // namespace periplex::usb::xhci

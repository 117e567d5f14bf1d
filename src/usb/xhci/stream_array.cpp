// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/stream_array.hpp"

namespace periplex::usb::xhci {

std::expected<StreamContext, guest::Fault> StreamArray::read(std::uint16_t stream) const {
  const auto word = memory_->read<std::uint64_t>(place_of(stream));
  if (!word) return std::unexpected(word.error());
  return StreamContext{*word};
}

std::expected<void, guest::Fault> StreamArray::write(std::uint16_t stream, RingPosition dequeue) {
  return memory_->write(place_of(stream), StreamContext::primary(dequeue).dequeue_word);
}

}  // namespace periplex::usb::xhci

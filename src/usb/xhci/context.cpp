// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/context.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint64_t kDequeueMask = ~std::uint64_t{0xf};
constexpr std::uint64_t kDropFlagsReserved = 0x3;  // §6.2.5.1: D0 and D1 do not exist

}  // namespace

RingPosition EndpointContext::dequeue() const {
  const std::uint64_t pointer = words[2] | std::uint64_t{words[3]} << 32;
  return {GuestAddress(pointer & kDequeueMask), DCS.test(words[2])};
}

void EndpointContext::set_dequeue(RingPosition position) {
  words[2] = static_cast<std::uint32_t>(position.address.value & kDequeueMask) | (position.cycle ? 1u : 0u);
  words[3] = static_cast<std::uint32_t>(position.address.value >> 32);
}

std::expected<InputControlContext, guest::Fault> InputContext::control() const {
  const auto words = memory_.read<std::array<std::uint32_t, 2>>(address_);
  if (!words) return std::unexpected(words.error());
  return InputControlContext{static_cast<std::uint32_t>((*words)[0] & ~kDropFlagsReserved), (*words)[1]};
}

std::expected<SlotContext, guest::Fault> InputContext::slot() const {
  const auto words = memory_.read<ContextWords>(address_ + kContextSize);
  if (!words) return std::unexpected(words.error());
  return SlotContext{*words};
}

std::expected<EndpointContext, guest::Fault> InputContext::endpoint(unsigned dci) const {
  const auto words = memory_.read<ContextWords>(address_ + (dci + 1) * kContextSize);
  if (!words) return std::unexpected(words.error());
  return EndpointContext{*words};
}

std::expected<void, guest::Fault> DeviceContext::write_slot(const SlotContext& context) {
  return memory_->write(address_, context.words);
}

std::expected<void, guest::Fault> DeviceContext::write_endpoint(unsigned dci, const EndpointContext& context) {
  return memory_->write(address_ + dci * kContextSize, context.words);
}

EndpointAddress endpoint_address(unsigned dci) {
  return EndpointAddress(dci / 2, dci % 2 == 1 ? Direction::in : Direction::out);
}

TransferType transfer_type(EndpointType type) {
  switch (type) {
    case EndpointType::isoch_out:
    case EndpointType::isoch_in:
      return TransferType::isochronous;
    case EndpointType::bulk_out:
    case EndpointType::bulk_in:
      return TransferType::bulk;
    case EndpointType::interrupt_out:
    case EndpointType::interrupt_in:
      return TransferType::interrupt;
    case EndpointType::not_valid:
    case EndpointType::control:
      break;
  }
  return TransferType::control;
}

}  // namespace periplex::usb::xhci

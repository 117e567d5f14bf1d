// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "usb/setup_packet.hpp"
#include "usb/xhci/trb.hpp"

/// TRBs as a driver writes them (xHCI 1.2 §6.4.1, §6.4.3); the ring adds the cycle bit.
namespace periplex::usb::xhci::testing {

namespace flag {
inline constexpr std::uint32_t kIsp = 1u << 2;
inline constexpr std::uint32_t kChain = 1u << 4;
inline constexpr std::uint32_t kIoc = 1u << 5;
inline constexpr std::uint32_t kIdt = 1u << 6;
inline constexpr std::uint32_t kBei = 1u << 9;
inline constexpr std::uint32_t kDirectionIn = 1u << 16;
}  // namespace flag

[[nodiscard]] constexpr Trb make_trb(TrbType type, std::uint64_t parameter, std::uint32_t status,
                                     std::uint32_t flags = 0) {
  return {.parameter = parameter,
          .status = status,
          .control = static_cast<std::uint32_t>(type) << 10 | flags,
          .address = {}};
}

[[nodiscard]] constexpr Trb normal(GuestAddress data, std::uint32_t length, std::uint32_t flags = flag::kIoc,
                                   unsigned interrupter = 0) {
  return make_trb(TrbType::normal, data.value, length | interrupter << 22, flags);
}
/// Without `frame` it goes as soon as possible (SIA).
[[nodiscard]] constexpr Trb isoch(GuestAddress data, std::uint32_t length, std::uint32_t flags = flag::kIoc,
                                  std::optional<std::uint32_t> frame = std::nullopt) {
  return make_trb(TrbType::isoch, data.value, length, flags | (frame ? (*frame & 0x7ff) << 20 : 1u << 31));
}
[[nodiscard]] constexpr Trb event_data(std::uint64_t value, std::uint32_t flags = flag::kIoc) {
  return make_trb(TrbType::event_data, value, 0, flags);
}
[[nodiscard]] constexpr Trb no_op(std::uint32_t flags = flag::kIoc) {
  return make_trb(TrbType::no_op, 0, 0, flags);
}
[[nodiscard]] inline Trb setup_stage(const SetupPacket& setup) {
  // Transfer Type, bits 17:16: no data stage, OUT, or IN
  const std::uint32_t type = setup.length == 0 ? 0 : setup.direction() == Direction::in ? 3 : 2;
  return make_trb(TrbType::setup_stage, setup.encode(), SetupPacket::kSize, flag::kIdt | type << 16);
}
[[nodiscard]] constexpr Trb data_stage(GuestAddress data, std::uint32_t length, Direction direction,
                                       std::uint32_t flags = flag::kIsp) {
  return make_trb(TrbType::data_stage, data.value, length,
                  flags | (direction == Direction::in ? flag::kDirectionIn : 0));
}
[[nodiscard]] constexpr Trb status_stage(Direction direction, std::uint32_t flags = flag::kIoc) {
  return make_trb(TrbType::status_stage, 0, 0, flags | (direction == Direction::in ? flag::kDirectionIn : 0));
}

[[nodiscard]] constexpr Trb command(TrbType type, unsigned slot = 0, unsigned endpoint = 0, std::uint64_t parameter = 0,
                                    std::uint32_t flags = 0) {
  return make_trb(type, parameter, 0, flags | endpoint << 16 | slot << 24);
}

/// The fields of an event TRB (§6.4.2).
[[nodiscard]] inline CompletionCode code_of(const Trb& event) {
  return static_cast<CompletionCode>(event.status >> 24);
}
[[nodiscard]] inline std::uint32_t length_of(const Trb& event) {
  return event.status & 0xff'ffff;
}
[[nodiscard]] inline unsigned slot_of(const Trb& event) {
  return event.control >> 24;
}
[[nodiscard]] inline unsigned endpoint_of(const Trb& event) {
  return event.control >> 16 & 0x1f;
}
[[nodiscard]] inline unsigned port_of(const Trb& event) {
  return static_cast<unsigned>(event.parameter >> 24 & 0xff);
}
[[nodiscard]] inline bool is_event_data(const Trb& event) {
  return (event.control & 1u << 2) != 0;
}

}  // namespace periplex::usb::xhci::testing

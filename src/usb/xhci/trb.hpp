// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/register.hpp"
#include "base/strong_id.hpp"
#include "guest/address.hpp"

/// xHCI 1.2 §6.4: Transfer Request Blocks as values.
namespace periplex::usb::xhci {

using guest::GuestAddress;
using SlotId = StrongId<struct SlotIdTag, std::uint8_t>;

inline constexpr std::uint64_t kTrbSize = 16;

/// Table 6-91 TRB Types. Values that are not listed are reserved or vendor defined.
enum class TrbType : std::uint8_t {
  reserved = 0,
  normal = 1,
  setup_stage = 2,
  data_stage = 3,
  status_stage = 4,
  isoch = 5,
  link = 6,
  event_data = 7,
  no_op = 8,
  enable_slot_command = 9,
  disable_slot_command = 10,
  address_device_command = 11,
  configure_endpoint_command = 12,
  evaluate_context_command = 13,
  reset_endpoint_command = 14,
  stop_endpoint_command = 15,
  set_tr_dequeue_pointer_command = 16,
  reset_device_command = 17,
  no_op_command = 23,
  transfer_event = 32,
  command_completion_event = 33,
  port_status_change_event = 34,
  host_controller_event = 37,
  mfindex_wrap_event = 39,
};

/// Table 6-90 TRB Completion Codes: those that this controller gives.
enum class CompletionCode : std::uint8_t {
  invalid = 0,
  success = 1,
  babble_detected_error = 3,
  usb_transaction_error = 4,
  trb_error = 5,
  stall_error = 6,
  no_slots_available_error = 9,
  invalid_stream_type_error = 10,
  slot_not_enabled_error = 11,
  short_packet = 13,
  ring_underrun = 14,
  ring_overrun = 15,
  parameter_error = 17,
  context_state_error = 19,
  event_ring_full_error = 21,
  missed_service_error = 23,
  command_ring_stopped = 24,
  command_aborted = 25,
  stopped = 26,
  isoch_buffer_overrun = 31,
  invalid_stream_id_error = 34,
};

[[nodiscard]] std::string_view name(CompletionCode code);

/// One TRB as it lies in a ring: four dwords, the last with the ownership (cycle) bit. `address` is where it lay.
struct Trb {
  std::uint64_t parameter = 0;
  std::uint32_t status = 0;
  std::uint32_t control = 0;
  GuestAddress address;

  [[nodiscard]] TrbType type() const;
};

namespace trb {

// Dword 3 of every TRB, and the flags of transfer TRBs (6.4.1)
inline constexpr Field Cycle = bit("C", 0, Access::RW);
inline constexpr Field ToggleCycle = bit("TC", 1, Access::RW);  // Link
inline constexpr Field ISP = bit("ISP", 2, Access::RW);
inline constexpr Field Chain = bit("CH", 4, Access::RW);
inline constexpr Field IOC = bit("IOC", 5, Access::RW);
inline constexpr Field IDT = bit("IDT", 6, Access::RW);
inline constexpr Field BEI = bit("BEI", 9, Access::RW);
inline constexpr Field Type = bits("TRB Type", 15, 10, Access::RW);
inline constexpr Field Dir = bit("DIR", 16, Access::RW);  // Data and Status Stage

// Dword 3 of Isoch TRBs (6.4.1.3). TBC and TLBPC divide a TD into the packets of a burst, which do not exist here.
inline constexpr Field FrameId = bits("Frame ID", 30, 20, Access::RW);
inline constexpr Field SIA = bit("SIA", 31, Access::RW);

// Dword 2 of transfer TRBs
inline constexpr Field TransferLength = bits("TRB Transfer Length", 16, 0, Access::RW);
inline constexpr Field InterrupterTarget = bits("Interrupter Target", 31, 22, Access::RW);

// Commands (6.4.3)
inline constexpr Field BSR = bit("BSR", 9, Access::RW);                   // Address Device: Block Set Address Request
inline constexpr Field DC = bit("DC", 9, Access::RW);                     // Configure Endpoint: Deconfigure
inline constexpr Field TSP = bit("TSP", 9, Access::RW);                   // Reset Endpoint: Transfer State Preserve
inline constexpr Field StreamId = bits("Stream ID", 31, 16, Access::RW);  // Set TR Dequeue Pointer, dword 2
inline constexpr Field SlotIdField = bits("Slot ID", 31, 24, Access::RW);
inline constexpr Field EndpointId = bits("Endpoint ID", 20, 16, Access::RW);

// Events (6.4.2)
inline constexpr Field EventLength = bits("TRB Transfer Length", 23, 0, Access::RW);
inline constexpr Field Code = bits("Completion Code", 31, 24, Access::RW);
inline constexpr Field ED = bit("ED", 2, Access::RW);
inline constexpr Field PortId = bits("Port ID", 31, 24, Access::RW);  // dword 0

}  // namespace trb

inline TrbType Trb::type() const {
  return static_cast<TrbType>(trb::Type.get(control));
}

/// 6.4.2.1 Transfer Event. `pointer` is the TRB's address, or an Event Data TRB's parameter where `event_data` is set.
[[nodiscard]] Trb transfer_event(std::uint64_t pointer, std::uint32_t length, CompletionCode code, SlotId slot,
                                 unsigned endpoint_id, bool event_data);
/// 6.4.2.2 Command Completion Event
[[nodiscard]] Trb command_completion_event(GuestAddress command, CompletionCode code, SlotId slot);
/// 6.4.2.3 Port Status Change Event
[[nodiscard]] Trb port_status_change_event(unsigned port);
/// 6.4.2.6 Host Controller Event
[[nodiscard]] Trb host_controller_event(CompletionCode code);
/// 6.4.2.8 MFINDEX Wrap Event
[[nodiscard]] Trb mfindex_wrap_event();

}  // namespace periplex::usb::xhci

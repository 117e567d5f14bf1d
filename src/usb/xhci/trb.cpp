// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/trb.hpp"

namespace periplex::usb::xhci {
namespace {

Trb event(TrbType type, std::uint64_t parameter, std::uint64_t status, std::uint64_t control) {
  return {.parameter = parameter,
          .status = static_cast<std::uint32_t>(status),
          .control = static_cast<std::uint32_t>(trb::Type.set(control, static_cast<std::uint64_t>(type))),
          .address = {}};
}

std::uint64_t status_of(CompletionCode code) {
  return trb::Code.set(0, static_cast<std::uint64_t>(code));
}

}  // namespace

Trb transfer_event(std::uint64_t pointer, std::uint32_t length, CompletionCode code, SlotId slot, unsigned endpoint_id,
                   bool event_data) {
  std::uint64_t control = trb::SlotIdField.set(0, slot.value);
  control = trb::EndpointId.set(control, endpoint_id);
  control = trb::ED.set(control, event_data ? 1 : 0);
  return event(TrbType::transfer_event, pointer, trb::EventLength.set(status_of(code), length), control);
}

Trb command_completion_event(GuestAddress command, CompletionCode code, SlotId slot) {
  return event(TrbType::command_completion_event, command.value, status_of(code), trb::SlotIdField.set(0, slot.value));
}

Trb port_status_change_event(unsigned port) {
  return event(TrbType::port_status_change_event, trb::PortId.set(0, port), status_of(CompletionCode::success), 0);
}

Trb host_controller_event(CompletionCode code) {
  return event(TrbType::host_controller_event, 0, status_of(code), 0);
}

Trb mfindex_wrap_event() {
  return event(TrbType::mfindex_wrap_event, 0, status_of(CompletionCode::success), 0);
}

std::string_view name(CompletionCode code) {
  switch (code) {
    case CompletionCode::invalid:
      return "Invalid";
    case CompletionCode::success:
      return "Success";
    case CompletionCode::babble_detected_error:
      return "Babble Detected Error";
    case CompletionCode::usb_transaction_error:
      return "USB Transaction Error";
    case CompletionCode::trb_error:
      return "TRB Error";
    case CompletionCode::stall_error:
      return "Stall Error";
    case CompletionCode::no_slots_available_error:
      return "No Slots Available Error";
    case CompletionCode::invalid_stream_type_error:
      return "Invalid Stream Type Error";
    case CompletionCode::slot_not_enabled_error:
      return "Slot Not Enabled Error";
    case CompletionCode::short_packet:
      return "Short Packet";
    case CompletionCode::ring_underrun:
      return "Ring Underrun";
    case CompletionCode::ring_overrun:
      return "Ring Overrun";
    case CompletionCode::parameter_error:
      return "Parameter Error";
    case CompletionCode::context_state_error:
      return "Context State Error";
    case CompletionCode::event_ring_full_error:
      return "Event Ring Full Error";
    case CompletionCode::missed_service_error:
      return "Missed Service Error";
    case CompletionCode::command_ring_stopped:
      return "Command Ring Stopped";
    case CompletionCode::command_aborted:
      return "Command Aborted";
    case CompletionCode::stopped:
      return "Stopped";
    case CompletionCode::isoch_buffer_overrun:
      return "Isoch Buffer Overrun";
    case CompletionCode::invalid_stream_id_error:
      return "Invalid Stream ID Error";
  }
  return "?";
}

}  // namespace periplex::usb::xhci

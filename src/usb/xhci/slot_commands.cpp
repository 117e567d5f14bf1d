// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/slot_commands.hpp"

#include <utility>

#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint64_t kInputContextMask = ~std::uint64_t{0xf};
constexpr std::uint32_t kAddressDeviceFlags = 0x3;  // A0 and A1

/// §4.6.6, §6.2.3: MaxPStreams is not greater than MaxPSASize; stream arrays are linear ones, as HCCPARAMS1.NSS says.
bool may_have_streams(const EndpointContext& context) {
  const unsigned streams = context.max_primary_streams();
  return streams == 0 || (streams <= StreamArray::kMaxPSASize && context.linear_stream_array());
}

/// Endpoint types that a configured endpoint may have at `dci` (table 6-9: the direction must agree), and streams,
/// which only bulk endpoints have.
bool may_configure(unsigned dci, const EndpointContext& context) {
  const bool in = dci % 2 == 1;
  switch (context.type()) {
    case EndpointType::bulk_out:
      return !in && may_have_streams(context);
    case EndpointType::bulk_in:
      return in && may_have_streams(context);
    case EndpointType::interrupt_out:
      return !in && context.max_primary_streams() == 0;
    case EndpointType::interrupt_in:
      return in && context.max_primary_streams() == 0;
    case EndpointType::control:
      return in && context.max_primary_streams() == 0;
    case EndpointType::isoch_out:
      return !in && context.max_primary_streams() == 0;
    case EndpointType::isoch_in:
      return in && context.max_primary_streams() == 0;
    case EndpointType::not_valid:
      break;
  }
  return false;
}

}  // namespace

SlotCommands::SlotCommands(Services& services, unsigned max_slots, const RegisterCell& dcbaap,
                           const RegisterCell& config, PortLookup port)
    : services_(services), dcbaap_(dcbaap), config_(config), port_(std::move(port)), slots_(max_slots + 1) {}

Slot* SlotCommands::slot(SlotId id) const {
  return id.value < slots_.size() ? slots_[id.value].get() : nullptr;
}

Endpoint* SlotCommands::endpoint(SlotId id, unsigned dci) const {
  const Slot* owner = slot(id);
  return owner != nullptr && dci < kContexts ? owner->endpoint(dci) : nullptr;
}

void SlotCommands::for_each_slot(const std::function<void(Slot&)>& visit) const {
  for (const auto& slot : slots_) {
    if (slot) visit(*slot);
  }
}

void SlotCommands::clear() {
  for (auto& slot : slots_) slot.reset();
}

void SlotCommands::fault(Done done, SlotId id) {
  services_.host_system_error("input or device context");
  done(CompletionCode::trb_error, id);
}

void SlotCommands::execute(const Trb& command, Done done) {
  const SlotId id(static_cast<std::uint8_t>(trb::SlotIdField.get(command.control)));
  switch (command.type()) {
    case TrbType::no_op_command:
      return done(CompletionCode::success, SlotId(0));
    case TrbType::enable_slot_command:
      return enable_slot(std::move(done));
    default:
      break;
  }
  Slot* target = slot(id);
  if (target == nullptr) {
    const bool known =
        command.type() >= TrbType::disable_slot_command && command.type() <= TrbType::reset_device_command;
    return done(known ? CompletionCode::slot_not_enabled_error : CompletionCode::trb_error, id);
  }
  running_ = id;
  switch (command.type()) {
    case TrbType::disable_slot_command:
      return disable_slot(*target, std::move(done));
    case TrbType::address_device_command:
      return address_device(*target, command, std::move(done));
    case TrbType::configure_endpoint_command:
      return configure_endpoint(*target, command, std::move(done));
    case TrbType::evaluate_context_command:
      return evaluate_context(*target, command, std::move(done));
    case TrbType::reset_endpoint_command:
    case TrbType::stop_endpoint_command:
    case TrbType::set_tr_dequeue_pointer_command:
      return endpoint_command(*target, command, std::move(done));
    case TrbType::reset_device_command:
      return reset_device(*target, std::move(done));
    default:
      return done(CompletionCode::trb_error, id);
  }
}

void SlotCommands::abort() {
  if (Slot* target = slot(running_)) target->abort_set_address();
}

/// §4.6.3
void SlotCommands::enable_slot(Done done) {
  const auto enabled = std::min<std::size_t>(config_.get(config::MaxSlotsEn) + 1, slots_.size());
  for (std::size_t i = 1; i < enabled; ++i) {
    if (slots_[i]) continue;
    const SlotId id(static_cast<std::uint8_t>(i));
    slots_[i] = std::make_unique<Slot>(services_, id);
    return done(CompletionCode::success, id);
  }
  done(CompletionCode::no_slots_available_error, SlotId(0));
}

/// §4.6.4
void SlotCommands::disable_slot(Slot& slot, Done done) {
  slot.quiesce_to_close(Slot::kAllEndpoints, [this, &slot, done = std::move(done)]() mutable {
    const SlotId id = slot.id();
    for (unsigned dci = kControlDci; dci < kContexts; ++dci) slot.close(dci);
    slot.enter(SlotState::disabled_enabled);
    slot.publish();
    slots_[id.value].reset();
    done(CompletionCode::success, id);
  });
}

std::expected<DeviceContext, guest::Fault> SlotCommands::output_context(SlotId id) const {
  const GuestAddress entry(dcbaap_.value() + std::uint64_t{id.value} * sizeof(std::uint64_t));
  const auto pointer = services_.memory().read<std::uint64_t>(entry);
  if (!pointer) return std::unexpected(pointer.error());
  return DeviceContext(services_.memory(), GuestAddress(*pointer & dcbaap::Pointer.mask()));
}

/// §4.6.5
void SlotCommands::address_device(Slot& slot, const Trb& command, Done done) {
  const SlotId id = slot.id();
  const bool block_set_address = trb::BSR.test(command.control);
  const bool from_default = slot.state() == SlotState::default_ && !block_set_address;
  if (slot.state() != SlotState::disabled_enabled && !from_default) {
    return done(CompletionCode::context_state_error, id);
  }
  const InputContext input(services_.memory(), GuestAddress(command.parameter & kInputContextMask));
  const auto control = input.control();
  const auto slot_context = input.slot();
  const auto control_endpoint = input.endpoint(kControlDci);
  auto output = output_context(id);
  if (!control || !slot_context || !control_endpoint || !output) return fault(std::move(done), id);
  if ((control->add_flags & kAddressDeviceFlags) != kAddressDeviceFlags) return done(CompletionCode::trb_error, id);
  Port* port = port_(slot_context->root_hub_port());
  if (port == nullptr || control_endpoint->type() != EndpointType::control ||
      control_endpoint->max_primary_streams() != 0) {
    return done(CompletionCode::parameter_error, id);
  }
  bool taken = false;  // no hub is behind a port, so one slot is all it can have
  for_each_slot([&](Slot& other) { taken = taken || (&other != &slot && other.device() == port->device()); });
  if (port->device() != nullptr && taken) return done(CompletionCode::trb_error, id);
  // A route string names a hub between the port and the device; no device of ours is a hub.
  if (slot_context->route_string() != 0 || port->device() == nullptr || !port->enabled()) {
    return done(CompletionCode::usb_transaction_error, id);
  }
  slot.quiesce_to_close(Slot::kAllEndpoints, [&slot, port, slot_context = *slot_context, endpoint = *control_endpoint,
                                              output = *output, block_set_address, done = std::move(done)]() mutable {
    slot.assign(*port, slot_context, endpoint, output);
    if (block_set_address) {
      slot.enter(SlotState::default_);
      slot.publish();
      return done(CompletionCode::success, slot.id());
    }
    slot.send_set_address([&slot, done = std::move(done)](Status status) mutable {
      if (status == Status::ok) {
        slot.enter(SlotState::addressed);
        slot.set_address(slot.id().value);
        slot.publish();
        return done(CompletionCode::success, slot.id());
      }
      // "If an error occurs the slot stays in the state it had"; its contexts are the guest's to give again.
      slot.close(kControlDci);
      done(status == Status::stall ? CompletionCode::stall_error : CompletionCode::usb_transaction_error, slot.id());
    });
  });
}

/// §4.6.6
void SlotCommands::configure_endpoint(Slot& slot, const Trb& command, Done done) {
  const SlotId id = slot.id();
  if (slot.state() != SlotState::addressed && slot.state() != SlotState::configured) {
    return done(CompletionCode::context_state_error, id);
  }
  if (trb::DC.test(command.control)) return deconfigure(slot, std::move(done));
  const GuestAddress address(command.parameter & kInputContextMask);
  const auto control = InputContext(services_.memory(), address).control();
  if (!control) return fault(std::move(done), id);
  // "D0, D1 and A1 shall be cleared to 0, A0 shall be set to 1": drivers in the field leave A0 out, so it is not asked.
  if (control->adds(kControlDci)) return done(CompletionCode::trb_error, id);
  // All is checked before anything changes: "the xHC shall not change any state on an error".
  Additions added;
  const auto code = read_additions(slot, address, *control, added);
  if (!code) return fault(std::move(done), id);
  if (*code != CompletionCode::success) return done(*code, id);
  slot.quiesce_to_close(control->drop_flags & Slot::kAllButControl,
                        [&slot, control = *control, added, done = std::move(done)]() mutable {
                          apply_configuration(slot, control, added);
                          done(CompletionCode::success, slot.id());
                        });
}

std::expected<CompletionCode, guest::Fault> SlotCommands::read_additions(const Slot& slot, GuestAddress address,
                                                                         const InputControlContext& control,
                                                                         Additions& added) const {
  const InputContext input(services_.memory(), address);
  for (unsigned dci = kControlDci + 1; dci < kContexts; ++dci) {
    if (!control.adds(dci)) continue;
    const auto context = input.endpoint(dci);
    if (!context) return std::unexpected(context.error());
    if (!may_configure(dci, *context)) return CompletionCode::parameter_error;
    if (slot.endpoint(dci) != nullptr && !control.drops(dci)) return CompletionCode::context_state_error;
    added[dci] = *context;
  }
  return CompletionCode::success;
}

void SlotCommands::deconfigure(Slot& slot, Done done) {
  slot.quiesce_to_close(Slot::kAllButControl, [&slot, done = std::move(done)]() mutable {
    for (unsigned dci = kControlDci + 1; dci < kContexts; ++dci) slot.close(dci);
    slot.enter(SlotState::addressed);
    slot.set_context_entries(1);
    slot.publish();
    done(CompletionCode::success, slot.id());
  });
}

void SlotCommands::apply_configuration(Slot& slot, const InputControlContext& control, const Additions& added) {
  unsigned last = kControlDci;
  for (unsigned dci = kControlDci + 1; dci < kContexts; ++dci) {
    if (control.drops(dci)) slot.close(dci);
    if (control.adds(dci)) slot.open(dci, added[dci]);
    if (slot.endpoint(dci) != nullptr) last = dci;
  }
  slot.enter(last == kControlDci ? SlotState::addressed : SlotState::configured);
  slot.set_context_entries(last);
  slot.publish();
}

/// §4.6.7: only the Max Exit Latency and Interrupter Target of the slot, and the Max Packet Size of endpoint 0, are
/// evaluated.
void SlotCommands::evaluate_context(Slot& slot, const Trb& command, Done done) {
  if (slot.state() == SlotState::disabled_enabled) return done(CompletionCode::context_state_error, slot.id());
  const InputContext input(services_.memory(), GuestAddress(command.parameter & kInputContextMask));
  const auto control = input.control();
  const auto slot_context = input.slot();
  const auto endpoint = input.endpoint(kControlDci);
  if (!control || !slot_context || !endpoint) return fault(std::move(done), slot.id());
  if (control->adds(0)) slot.set_max_exit_latency_and_target(*slot_context);
  if (control->adds(kControlDci) && slot.endpoint(kControlDci) != nullptr) {
    slot.endpoint(kControlDci)->set_max_packet_size(endpoint->max_packet_size());
  }
  slot.publish();
  done(CompletionCode::success, slot.id());
}

/// §4.6.11
void SlotCommands::reset_device(Slot& slot, Done done) {
  if (slot.state() != SlotState::addressed && slot.state() != SlotState::configured) {
    return done(CompletionCode::context_state_error, slot.id());
  }
  auto reset = [&slot, done = std::move(done)]() mutable {
    for (unsigned dci = kControlDci + 1; dci < kContexts; ++dci) slot.close(dci);
    slot.enter(SlotState::default_);
    slot.set_context_entries(1);
    slot.set_address(0);
    slot.publish();
    done(CompletionCode::success, slot.id());
  };
  slot.quiesce_to_close(Slot::kAllButControl, [&slot, reset = std::move(reset)]() mutable {
    slot.quiesce(1u << kControlDci, std::move(reset));
  });
}

/// Reset Endpoint (§4.6.8), Stop Endpoint (§4.6.9), Set TR Dequeue Pointer (§4.6.10)
void SlotCommands::endpoint_command(Slot& slot, const Trb& command, Done done) {
  const SlotId id = slot.id();
  const auto dci = static_cast<unsigned>(trb::EndpointId.get(command.control));
  Endpoint* endpoint = slot.endpoint(dci);
  if (dci == 0) return done(CompletionCode::trb_error, id);
  if (endpoint == nullptr) return done(CompletionCode::context_state_error, id);
  const EndpointState state = endpoint->state();
  switch (command.type()) {
    case TrbType::reset_endpoint_command:
      if (state != EndpointState::halted) return done(CompletionCode::context_state_error, id);
      // The TDs behind the one that failed were cancelled then. Their buffers are the driver's again after this
      // command, so it waits until the device has let go of them.
      return endpoint->quiesce(
          [endpoint, id, preserve = trb::TSP.test(command.control), done = std::move(done)]() mutable {
            endpoint->reset_halted(preserve);
            done(CompletionCode::success, id);
          });
    case TrbType::set_tr_dequeue_pointer_command:
      if (state != EndpointState::stopped && state != EndpointState::error) {
        return done(CompletionCode::context_state_error, id);
      }
      return set_dequeue(slot, *endpoint, command, std::move(done));
    default:
      if (state != EndpointState::running) return done(CompletionCode::context_state_error, id);
      return stop_endpoint(slot, *endpoint, std::move(done));
  }
}

/// §4.6.10, for a stopped endpoint or one in error.
void SlotCommands::set_dequeue(Slot& slot, Endpoint& endpoint, const Trb& command, Done done) {
  const auto stream = static_cast<std::uint16_t>(trb::StreamId.get(command.status));
  const StreamContext position{command.parameter};
  if (!endpoint.streams()) {
    if (stream != 0) return done(CompletionCode::trb_error, slot.id());
  } else if (!endpoint.streams()->contains(stream)) {
    return done(CompletionCode::invalid_stream_id_error, slot.id());
  } else if (position.type() != StreamContextType::primary_ring) {
    return done(CompletionCode::invalid_stream_type_error, slot.id());
  }
  // A mistake on one stream can end in the error state while others still have transfers to give back.
  endpoint.quiesce([&endpoint, stream, dequeue = position.dequeue(), id = slot.id(), done = std::move(done)]() mutable {
    endpoint.set_dequeue(stream, dequeue);
    done(CompletionCode::success, id);
  });
}

void SlotCommands::stop_endpoint(Slot& slot, Endpoint& endpoint, Done done) {
  endpoint.stop([&endpoint, id = slot.id(), done = std::move(done)]() mutable {
    // The endpoint may have halted by itself before it could be stopped.
    const bool stopped = endpoint.state() == EndpointState::stopped;
    done(stopped ? CompletionCode::success : CompletionCode::context_state_error, id);
  });
}

}  // namespace periplex::usb::xhci

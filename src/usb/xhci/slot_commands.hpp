// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/register_file.hpp"
#include "usb/xhci/slot.hpp"

namespace periplex::usb::xhci {

/// The device slots, and the commands that act on them (xHCI 1.2 §4.6), each with the checks and in the order of its
/// section.
///
/// Not done: Force Event (virtualization, §4.6.12), Negotiate Bandwidth (§4.6.13), Set Latency Tolerance Value
/// (§4.6.14), Get Port Bandwidth (§4.6.15) and Force Header (§4.6.16) are answered with TRB Error: they are optional
/// here, or speak of physical links that do not exist.
class SlotCommands {
 public:
  using Done = std::move_only_function<void(CompletionCode, SlotId)>;
  using PortLookup = std::function<Port*(unsigned number)>;

  SlotCommands(Services& services, unsigned max_slots, const RegisterCell& dcbaap, const RegisterCell& config,
               PortLookup port);

  /// Carries out `command`. `done` may be called at once or later; only one command runs at a time.
  void execute(const Trb& command, Done done);
  /// The guest aborts the command that is running (CRCR.CA): what it waits for at the device is cancelled.
  void abort();

  [[nodiscard]] Slot* slot(SlotId id) const;
  [[nodiscard]] Endpoint* endpoint(SlotId id, unsigned dci) const;
  void for_each_slot(const std::function<void(Slot&)>& visit) const;
  void clear();

 private:
  void enable_slot(Done done);
  void disable_slot(Slot& slot, Done done);
  void address_device(Slot& slot, const Trb& command, Done done);
  void configure_endpoint(Slot& slot, const Trb& command, Done done);
  void deconfigure(Slot& slot, Done done);
  void evaluate_context(Slot& slot, const Trb& command, Done done);
  void reset_device(Slot& slot, Done done);
  void endpoint_command(Slot& slot, const Trb& command, Done done);
  void set_dequeue(Slot& slot, Endpoint& endpoint, const Trb& command, Done done);
  void stop_endpoint(Slot& slot, Endpoint& endpoint, Done done);
  /// The endpoint contexts that Configure Endpoint adds, by DCI.
  using Additions = std::array<EndpointContext, kContexts>;
  [[nodiscard]] std::expected<CompletionCode, guest::Fault> read_additions(const Slot& slot, GuestAddress input,
                                                                           const InputControlContext& control,
                                                                           Additions& added) const;
  static void apply_configuration(Slot& slot, const InputControlContext& control, const Additions& added);
  [[nodiscard]] std::expected<DeviceContext, guest::Fault> output_context(SlotId id) const;
  void fault(Done done, SlotId id);

  Services& services_;
  const RegisterCell& dcbaap_;
  const RegisterCell& config_;
  PortLookup port_;
  std::vector<std::unique_ptr<Slot>> slots_;  // index 0 is never used
  SlotId running_{};                          // the slot of the command that is waiting for a device
};

}  // namespace periplex::usb::xhci

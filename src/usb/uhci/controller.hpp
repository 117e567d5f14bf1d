// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/register_file.hpp"
#include "guest/fault_patience.hpp"
#include "pci/function.hpp"
#include "usb/batching/bus_addresses.hpp"
#include "usb/companion_ports.hpp"
#include "usb/uhci/frame_clock.hpp"
#include "usb/uhci/port.hpp"
#include "usb/uhci/schedule.hpp"

namespace periplex::usb::uhci {

/// What a controller is.
struct Options {
  static constexpr unsigned kMaxPorts = 7;  ///< Linux takes more for a mistake, and uses two

  unsigned ports = 2;
  batching::Verification verification;
  bool companion = false;  ///< one of those that belong to an EHCI controller
};

/// A USB host controller as *Universal Host Controller Interface (UHCI) Design Guide*, revision 1.1 describes it: the
/// registers behind its BAR, and the ports as a `usb::Bus`.
///
/// The guest's schedule is walked in rounds. The first round of a frame begins it; while there is work more follow, so
/// that packets are carried out as fast as the device side has data for them, and not at the 1,280 bytes that a
/// physical frame holds. The frame number counts frames that have been carried out: whatever the guest has taken out of
/// the schedule before it saw a frame pass is not touched after.
///
/// Not done: SWDBG (single steps), because there is no transaction to stop after where whole data sets are moved;
/// checks of data toggles, which `usb::Device` does not have.
class Controller final : public pci::BarModel,
                         public CompanionPorts,
                         private batching::Surroundings,
                         private AddressedDevices,
                         private PortHost {
 public:
  Controller(const Options& options, guest::Memory& memory, pci::InterruptSink& interrupts, Scheduler& scheduler);
  ~Controller() override;

  void read(std::uint64_t offset, MutableByteView out) override { registers_.read(offset, out); }
  void write(std::uint64_t offset, ByteView in) override { registers_.write(offset, in); }

  [[nodiscard]] std::expected<PortNumber, AttachError> attach(Device& device) override;
  void attach_at(PortNumber port, Device& device) override;
  void detach(Device& device) override;
  void for_each_endpoint(const Device& device, const VisitEndpoint& visit) const override;

  /// Everything as after power-on, except that what is plugged in stays plugged in.
  void power_on_reset();

 private:
  enum class RunState : std::uint8_t { halted, running };

  // Registers
  void add_register_hooks();
  void add_ports();
  Port* add_port(unsigned number, HalfRegister portsc);
  void on_usbcmd_write(const RegisterWrite& write);
  void on_usbsts_write(const RegisterWrite& write);
  void update_pin();

  // Reset, run and stop
  void reset_registers();
  void run();
  void halt();

  // The schedule
  [[nodiscard]] bool running() const { return state_ == RunState::running; }
  [[nodiscard]] GuestAddress frame_list() const { return GuestAddress(frbaseadd_->value()); }
  void advance();
  bool begin_due_frames();
  bool guest_is_late();
  void skip_missed_frames();
  void repeat_frame();
  void end_round(Round round);
  void advance_soon();
  void plan_next_round();
  [[nodiscard]] bool any_port_enabled() const;
  [[nodiscard]] Port* port_of(const Device& device) const;

  // batching::Surroundings
  [[nodiscard]] guest::Memory& memory() override { return memory_; }
  [[nodiscard]] InFlight& in_flight() override { return in_flight_; }
  [[nodiscard]] const batching::Verification& verification() const override { return options_.verification; }
  void answered() override;
  void memory_fault(guest::Fault fault) override;
  void configured(Device& device, const SetupPacket& setup) override;

  // AddressedDevices
  [[nodiscard]] Device* device_at(unsigned address) override;

  // PortHost
  void device_enabled(Device& device) override;
  void device_disabled(Device& device) override;
  void device_left(Device& device) override;
  void resume_signalled() override;

  Options options_;
  guest::Memory& memory_;
  pci::InterruptSink& interrupts_;
  Scheduler& scheduler_;
  InFlight in_flight_;
  RegisterFile registers_{"usb/uhci", kRegisterSpace};
  RegisterCell* command_status_;
  RegisterCell* interrupt_frame_;
  RegisterCell* frbaseadd_;
  RegisterCell* sofmod_;
  HalfRegister usbcmd_;
  HalfRegister usbsts_;
  HalfRegister usbintr_;
  HalfRegister frnum_;
  std::vector<std::unique_ptr<Port>> ports_;

  batching::BusAddresses addresses_;
  batching::Pipes pipes_;
  batching::IsochronousPipes isochronous_;
  Schedule schedule_;
  FrameClock clock_;
  guest::FaultPatience patience_{memory_, scheduler_};
  std::unique_ptr<Timer> timer_;
  RunState state_ = RunState::halted;
  std::uint64_t frames_ = 0;            // begun since the controller was made
  bool frame_begun_ = false;            // since it was set to run
  Nanoseconds touched_{};               // when the guest last wrote a register, or a port lost its device
  bool advance_pending_ = false;        // deferred already
  bool interrupt_on_complete_ = false;  // which of the two USBSTS.USBINT stands for
  bool short_packet_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // deferred work asks it before it touches anything
};

}  // namespace periplex::usb::uhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/register_file.hpp"
#include "base/time.hpp"
#include "pci/function.hpp"
#include "usb/bus.hpp"
#include "usb/in_flight.hpp"
#include "usb/xhci/command_ring.hpp"
#include "usb/xhci/interrupter.hpp"
#include "usb/xhci/microframe_index.hpp"
#include "usb/xhci/port.hpp"
#include "usb/xhci/slot_commands.hpp"

namespace periplex::usb::xhci {

/// How large a controller is.
struct Options {
  unsigned usb2_ports = 4;
  unsigned usb3_ports = 4;
  unsigned slots = 16;
  unsigned interrupters = 8;

  static constexpr unsigned kMaxPorts = 15;  ///< of each protocol
  static constexpr unsigned kMaxSlots = 64;
  static constexpr unsigned kMaxInterrupters = 16;
};

/// A USB host controller as *eXtensible Host Controller Interface for Universal Serial Bus*, revision 1.2 describes it:
/// all registers behind its BAR, and the ports as a `usb::Bus`.
///
/// Knows of the guest only its memory and where interrupts go; of peripherals only `usb::Device`; of time only the
/// scheduler. It is driven by register accesses and completions, and by a timer where an isochronous ring has TDs or
/// the guest asked for one; it needs none while idle.
///
/// Not served: hubs behind root ports, secondary stream arrays (HCCPARAMS1.NSS), bandwidth (nothing here is a bus that
/// could be full).
class Controller final : public pci::BarModel, public Bus, private Services, private InterrupterHost, private PortHost {
 public:
  /// Where the register sets lie in the BAR. The rest up to `kRegisterSpace` reads as zero.
  static constexpr std::uint32_t kOperationalBase = 0x40;
  static constexpr std::uint32_t kExtendedCapabilities = 0x800;
  static constexpr std::uint32_t kRuntimeBase = 0x1000;
  static constexpr std::uint32_t kDoorbellBase = 0x2000;
  static constexpr std::uint32_t kRegisterSpace = 0x3000;

  Controller(const Options& options, guest::Memory& memory, pci::InterruptSink& interrupts, Scheduler& scheduler);
  ~Controller() override;

  void read(std::uint64_t offset, MutableByteView out) override { registers_.read(offset, out); }
  void write(std::uint64_t offset, ByteView in) override { registers_.write(offset, in); }

  [[nodiscard]] std::expected<PortNumber, AttachError> attach(Device& device) override;
  void detach(Device& device) override;

  /// Everything as after power-on, except that what is plugged in stays plugged in.
  void power_on_reset();
  /// The guest has switched between INTx and MSI-X.
  void interrupt_mode_changed();

  void for_each_endpoint(const Device& device, const VisitEndpoint& visit) const override;

 private:
  /// Between USBCMD.R/S and USBSTS.HCH; leaving `running` takes as long as devices hold transfers.
  enum class RunState : std::uint8_t { halted, running, halting, resetting };

  void add_capability_registers();
  void add_supported_protocol(std::uint32_t base, PortProtocol protocol, unsigned first_port, unsigned count,
                              bool last);
  void add_operational_registers();
  void add_ports();
  void add_doorbells();

  void on_usbcmd_write(const RegisterWrite& write);
  void run();
  void halt();
  void begin_reset();
  void finish_reset();
  void quiesce_all(std::move_only_function<void()> done);
  void enter(RunState state);
  void save_or_restore(const RegisterWrite& write);
  void ring_doorbell(unsigned slot, std::uint64_t value);
  void advance_all();
  void deliver_interrupt(Interrupter& interrupter, unsigned index);
  void update_pin();
  [[nodiscard]] Port* port(unsigned number) const;
  [[nodiscard]] Port* port_of(const Device& device) const;

  // Services
  [[nodiscard]] guest::Memory& memory() override { return memory_; }
  [[nodiscard]] InFlight& in_flight() override { return in_flight_; }
  void post_event(unsigned interrupter, const Trb& event, bool block_interrupt) override;
  [[nodiscard]] bool may_fetch() const override;
  [[nodiscard]] bool running() const override { return state_ == RunState::running; }
  [[nodiscard]] const MicroframeIndex& microframes() const override { return *microframe_index_; }
  [[nodiscard]] std::unique_ptr<Timer> make_timer(std::function<void()> on_expiry) override {
    return scheduler_.make_timer(std::move(on_expiry));
  }
  void advance_later(SlotId slot, unsigned dci) override;
  void host_system_error(std::string_view what) override;

  // InterrupterHost
  void interrupt_pending(unsigned interrupter) override;
  void interrupt_management_changed(unsigned interrupter) override;
  void event_ring_has_room() override;
  void event_ring_fault(std::string_view what) override { host_system_error(what); }

  // PortHost
  void port_status_changed(unsigned port) override;
  void device_left(unsigned port) override;

  Options options_;
  guest::Memory& memory_;
  pci::InterruptSink& interrupts_;
  Scheduler& scheduler_;
  InFlight in_flight_;
  RegisterFile registers_{"usb/xhci", kRegisterSpace};
  RunState state_ = RunState::halted;
  bool state_saved_ = false;  // USBCMD.CSS has been carried out and nothing was lost since
  RegisterCell* usbcmd_ = nullptr;
  RegisterCell* usbsts_ = nullptr;
  RegisterCell* dnctrl_ = nullptr;
  RegisterCell* dcbaap_ = nullptr;
  RegisterCell* config_ = nullptr;
  std::unique_ptr<MicroframeIndex> microframe_index_;
  std::vector<std::unique_ptr<Interrupter>> interrupters_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<SlotCommands> slots_;
  std::unique_ptr<CommandRing> command_ring_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // deferred work asks it before it touches anything
};

}  // namespace periplex::usb::xhci

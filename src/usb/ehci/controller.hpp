// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/register_file.hpp"
#include "base/time.hpp"
#include "guest/fault_patience.hpp"
#include "pci/function.hpp"
#include "usb/batching/bus_addresses.hpp"
#include "usb/batching/verification.hpp"
#include "usb/companion_ports.hpp"
#include "usb/ehci/async_schedule.hpp"
#include "usb/ehci/frame_counter.hpp"
#include "usb/ehci/pace.hpp"
#include "usb/ehci/periodic_schedule.hpp"
#include "usb/ehci/port.hpp"

namespace periplex::usb::ehci {

/// How large a controller is, and how it verifies.
struct Options {
  unsigned ports = 6;
  batching::Verification verification{};

  static constexpr unsigned kMaxPorts = 15;
};

/// A USB 2.0 host controller as *Enhanced Host Controller Interface Specification for Universal Serial Bus*, revision
/// 1.0 describes it: all registers behind its BAR, and the physical ports as a `usb::Bus`.
///
/// A device that is plugged in stands at a physical port; whether it appears here or at a companion controller is the
/// guest's driver's decision (§4.2). Full- and low-speed devices work only at companions. The schedules in guest memory
/// are walked by a timer, at the pace that `Pace` says, and at once when a register write or an answer of the device
/// side gives a reason; no timer runs while the controller is stopped, both schedules are off or all ports that have a
/// device are suspended.
///
/// Not served: siTDs and split transactions (they need a high-speed hub), the light host controller reset, port test
/// modes. Interrupts are not delayed by Interrupt Threshold Control: data sets come back whole, so there are few.
class Controller final : public pci::BarModel, public Bus, private batching::Surroundings, private PortHost {
 public:
  static constexpr std::uint32_t kOperationalBase = 0x20;
  static constexpr std::uint32_t kRegisterSpace = 0x400;
  /// Where the function's configuration space has USBLEGSUP (§5.1).
  static constexpr std::uint32_t kExtendedCapabilities = 0x68;

  /// `companions`: where the ports lead, from the first one on; all companions have equally many. Empty: none.
  Controller(const Options& options, const std::vector<CompanionPort>& companions, guest::Memory& memory,
             pci::InterruptSink& interrupts, Scheduler& scheduler);
  ~Controller() override;

  void read(std::uint64_t offset, MutableByteView out) override { registers_.read(offset, out); }
  void write(std::uint64_t offset, ByteView in) override { registers_.write(offset, in); }

  [[nodiscard]] std::expected<PortNumber, AttachError> attach(Device& device) override;
  void detach(Device& device) override;
  void for_each_endpoint(const Device& device, const VisitEndpoint& visit) const override;

  /// Everything as after power-on, except that what is plugged in stays plugged in.
  void reset();

 private:
  void add_capability_registers(const std::vector<CompanionPort>& companions);
  void add_operational_registers();
  void add_ports(const std::vector<CompanionPort>& companions);
  [[nodiscard]] Port* port_of(const Device& device) const;

  void on_usbcmd_write(const RegisterWrite& write);
  void run_or_halt();
  void follow_schedule_enables();
  [[nodiscard]] bool running() const;
  [[nodiscard]] bool async_running() const;
  [[nodiscard]] bool periodic_running() const;
  [[nodiscard]] bool asleep() const;

  /// Walks what is due, and tells the guest what came of it.
  void round(bool async);
  void process_periodic();
  void round_soon();
  void withdraw_from_stopped();
  void answer_doorbell();
  void note_rollover();
  void publish();
  void arm_timer();
  void update_pin();
  [[nodiscard]] std::uint64_t read_frindex();

  // batching::Surroundings
  [[nodiscard]] guest::Memory& memory() override { return memory_; }
  [[nodiscard]] InFlight& in_flight() override { return in_flight_; }
  [[nodiscard]] const batching::Verification& verification() const override { return options_.verification; }
  void answered() override { round_soon(); }
  void memory_fault(guest::Fault fault) override { walk_.note(fault); }
  void configured(Device& device, const SetupPacket& setup) override;

  // PortHost
  void port_changed() override;
  void device_enabled(Device& device) override { addresses_.enable(device); }
  void device_disabled(Device& device) override;
  void port_resumed() override { round_soon(); }

  Options options_;
  guest::Memory& memory_;
  pci::InterruptSink& interrupts_;
  Scheduler& scheduler_;
  InFlight in_flight_;
  RegisterFile registers_{"usb/ehci", kRegisterSpace};
  RegisterCell* usbcmd_ = nullptr;
  RegisterCell* usbsts_ = nullptr;
  RegisterCell* usbintr_ = nullptr;
  RegisterCell* periodic_list_ = nullptr;
  RegisterCell* async_list_ = nullptr;
  RegisterCell* configflag_ = nullptr;
  FrameCounter frames_;
  std::uint64_t rollover_frame_ = frames_.frame();  // up to which Frame List Rollover has been told
  std::optional<Nanoseconds> stopped_since_;        // a schedule that was switched off with something in flight
  Pace pace_;
  batching::BusAddresses addresses_;
  std::unique_ptr<AsyncSchedule> async_;
  std::unique_ptr<PeriodicSchedule> periodic_;
  std::vector<std::unique_ptr<Port>> ports_;
  Walk walk_;  // the present round's
  guest::FaultPatience patience_{memory_, scheduler_};
  std::unique_ptr<Timer> timer_;
  bool round_deferred_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // deferred work asks it before it touches anything
};

}  // namespace periplex::usb::ehci

// SPDX-License-Identifier: Apache-2.0
// The controller's register space: which registers exist, where, and what hangs on them.
#include <algorithm>
#include <set>

#include "usb/ehci/controller.hpp"
#include "usb/ehci/registers.hpp"

namespace periplex::usb::ehci {
namespace {

constexpr std::uint64_t kVersion = 0x0100;  // BCD, revision 1.0
/// §2.2.4: "host controller can hold … isochronous data structure for an entire frame" where bit 7 is set.
constexpr std::uint64_t kHoldsAFrame = 0x8;

}  // namespace

void Controller::add_capability_registers(const std::vector<CompanionPort>& companions) {
  registers_.add(caplength::reg, 0, caplength::HCIVERSION.set(kOperationalBase, kVersion));
  std::set<const CompanionPorts*> controllers;
  for (const CompanionPort& companion : companions) controllers.insert(companion.controller);
  std::uint64_t structural = hcsparams::N_PORTS.set(0, options_.ports);
  if (!controllers.empty()) {
    structural = hcsparams::N_CC.set(structural, controllers.size());
    structural = hcsparams::N_PCC.set(structural, companions.size() / controllers.size());
  }
  registers_.add(hcsparams::reg, 0, structural);
  std::uint64_t capability = hccparams::ProgrammableFrameList.set(0, 1);
  capability = hccparams::AsyncSchedulePark.set(capability, 1);
  capability = hccparams::IsochronousSchedulingThreshold.set(capability, kHoldsAFrame);
  capability = hccparams::EECP.set(capability, kExtendedCapabilities);
  registers_.add(hccparams::reg, 0, capability);
}

void Controller::add_operational_registers() {
  usbcmd_ = &registers_.add(usbcmd::reg, kOperationalBase);
  usbcmd_->on_write([this](const RegisterWrite& write) { on_usbcmd_write(write); });
  usbsts_ = &registers_.add(usbsts::reg, kOperationalBase);
  usbsts_
      ->on_read([this] {
        note_rollover();
        return usbsts_->value();
      })
      .on_write([this](const RegisterWrite&) {
        interrupts_.set_pin(false);  // of the causes that are left the guest is told again
        update_pin();
      });
  usbintr_ = &registers_.add(usbintr::reg, kOperationalBase);
  usbintr_->on_write([this](const RegisterWrite&) {
    update_pin();
    arm_timer();
  });
  registers_.add(frindex::reg, kOperationalBase)
      .on_read([this] { return read_frindex(); })
      .on_write([this](const RegisterWrite& write) {
        // "This register must not be written while the Run/Stop bit is set."
        if (running()) return;
        frames_.set_index(frindex::Index.get(write.value));
        rollover_frame_ = frames_.frame();
      });
  periodic_list_ = &registers_.add(periodiclistbase::reg, kOperationalBase);
  async_list_ = &registers_.add(asynclistaddr::reg, kOperationalBase);
  configflag_ = &registers_.add(configflag::reg, kOperationalBase);
  configflag_->on_write([this](const RegisterWrite& write) {
    for (const auto& port : ports_) port->set_configured(configflag::CF.test(write.value));
  });
}

void Controller::add_ports(const std::vector<CompanionPort>& companions) {
  for (unsigned index = 0; index < options_.ports; ++index) {
    const std::uint32_t base = kOperationalBase + kPortRegistersOffset + index * kPortRegistersStride;
    const auto companion = index < companions.size() ? std::optional(companions[index]) : std::nullopt;
    ports_.push_back(
        std::make_unique<Port>(index + 1, registers_, base, companion, scheduler_, static_cast<PortHost&>(*this)));
  }
}

}  // namespace periplex::usb::ehci

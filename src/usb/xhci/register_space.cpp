// SPDX-License-Identifier: Apache-2.0
// The controller's register space: which registers exist, where, and what hangs on them.
#include "usb/xhci/controller.hpp"
#include "usb/xhci/registers.hpp"

namespace periplex::usb::xhci {
namespace {

constexpr std::uint64_t kVersion = 0x0120;  // BCD, revision 1.2
constexpr std::uint8_t kUsb2Major = 0x02;
constexpr std::uint8_t kUsb3Major = 0x03;
constexpr std::uint8_t kUsb3Minor = 0x20;

constexpr std::uint64_t kSchedulingThreshold = 0x8 | 1;  // §4.14.2: rings are looked at once a frame

constexpr std::uint32_t kUsb2Protocol = Controller::kExtendedCapabilities;
constexpr std::uint32_t kUsb3Protocol = Controller::kExtendedCapabilities + 0x20;

}  // namespace

void Controller::add_capability_registers() {
  registers_.add(caplength::reg, 0, caplength::HCIVERSION.set(kOperationalBase, kVersion));
  std::uint64_t structural = hcsparams1::MaxSlots.set(0, options_.slots);
  structural = hcsparams1::MaxIntrs.set(structural, options_.interrupters);
  structural = hcsparams1::MaxPorts.set(structural, options_.usb2_ports + options_.usb3_ports);
  registers_.add(hcsparams1::reg, 0, structural);
  registers_.add(hcsparams2::reg, 0,
                 hcsparams2::IST.set(hcsparams2::ERSTMax.set(0, EventRing::kErstMax), kSchedulingThreshold));
  registers_.add(hcsparams3::reg, 0);
  // CFC is 0: a driver then asks for no certain frame once a ring has begun (SIA), and what it queues a little late, as
  // virtual processors will, is moved instead of missed. Frame IDs are honoured where they come all the same.
  std::uint64_t capability = hccparams1::AC64.set(0, 1);
  capability = hccparams1::NSS.set(capability, 1);  // stream arrays are linear
  capability = hccparams1::MaxPSASize.set(capability, StreamArray::kMaxPSASize);
  capability = hccparams1::xECP.set(capability, kExtendedCapabilities / 4);
  registers_.add(hccparams1::reg, 0, capability);
  registers_.add(kDboff, 0, kDoorbellBase);
  registers_.add(kRtsoff, 0, kRuntimeBase);
  registers_.add(kHccparams2, 0);
  const bool has_usb3 = options_.usb3_ports > 0;
  if (options_.usb2_ports > 0) {
    add_supported_protocol(kUsb2Protocol, PortProtocol::usb2, 1, options_.usb2_ports, !has_usb3);
  }
  if (has_usb3) {
    const std::uint32_t base = options_.usb2_ports > 0 ? kUsb3Protocol : kUsb2Protocol;
    add_supported_protocol(base, PortProtocol::usb3, options_.usb2_ports + 1, options_.usb3_ports, true);
  }
}

/// §7.2: which ports speak which protocol. PSIC is 0: the default speeds of table 7-13.
void Controller::add_supported_protocol(std::uint32_t base, PortProtocol protocol, unsigned first_port, unsigned count,
                                        bool last) {
  using namespace supported_protocol;
  const bool usb3 = protocol == PortProtocol::usb3;
  std::uint64_t value = CapabilityId.set(0, kCapabilityId);
  value = NextPointer.set(value, last ? 0 : (kUsb3Protocol - kUsb2Protocol) / 4);
  value = MajorRevision.set(value, usb3 ? kUsb3Major : kUsb2Major);
  value = MinorRevision.set(value, usb3 ? kUsb3Minor : 0);
  registers_.add(header, base, value);
  registers_.add(name_string, base);
  registers_.add(ports, base, CompatiblePortCount.set(CompatiblePortOffset.set(0, first_port), count));
  registers_.add(slot_type, base);
}

void Controller::add_operational_registers() {
  usbcmd_ = &registers_.add(usbcmd::reg, kOperationalBase);
  usbcmd_->on_write([this](const RegisterWrite& write) { on_usbcmd_write(write); });
  usbsts_ = &registers_.add(usbsts::reg, kOperationalBase);
  registers_.add(kPagesize, kOperationalBase);
  dnctrl_ = &registers_.add(kDnctrl, kOperationalBase);
  dcbaap_ = &registers_.add(dcbaap::reg, kOperationalBase);
  config_ = &registers_.add(config::reg, kOperationalBase);
}

void Controller::add_ports() {
  const unsigned total = options_.usb2_ports + options_.usb3_ports;
  for (unsigned number = 1; number <= total; ++number) {
    const PortProtocol protocol = number <= options_.usb2_ports ? PortProtocol::usb2 : PortProtocol::usb3;
    const std::uint32_t base = kOperationalBase + kPortRegistersOffset + (number - 1) * kPortRegistersStride;
    ports_.push_back(std::make_unique<Port>(number, protocol, registers_, base, static_cast<PortHost&>(*this)));
  }
}

void Controller::add_doorbells() {
  for (unsigned slot = 0; slot <= options_.slots; ++slot) {
    registers_.add(doorbell::reg, kDoorbellBase + slot * 4)
        .on_read([] { return 0; })
        .on_write([this, slot](const RegisterWrite& write) { ring_doorbell(slot, write.written); });
  }
}

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register.hpp"

/// Universal Host Controller Interface (UHCI) Design Guide, revision 1.1, chapter 2: the registers, and only what the
/// manual says. Most have 16 bits; fields are numbered as printed, and two neighbours are declared as one dword.
namespace periplex::usb::uhci {

namespace access {
inline constexpr Access RO = Access::RO;
inline constexpr Access RW = Access::RW;
inline constexpr Access RW1C = Access::RW1C;
}  // namespace access

/// A field of the register in the upper half of a dword.
[[nodiscard]] consteval Field upper(const Field& field) {
  return {field.name, field.hi + 16, field.lo + 16, field.access};
}
inline constexpr std::uint64_t upper_value(std::uint64_t value) {
  return value << 16;
}

inline constexpr std::uint32_t kRegisterSpace = 0x20;

// 2.1.1 USB Command
namespace usbcmd {
inline constexpr Field RS = bit("RS", 0, access::RW);
inline constexpr Field HCRESET = bit("HCRESET", 1, access::RW);
inline constexpr Field GRESET = bit("GRESET", 2, access::RW);
inline constexpr Field EGSM = bit("EGSM", 3, access::RW);
inline constexpr Field FGR = bit("FGR", 4, access::RW);
inline constexpr Field SWDBG = bit("SWDBG", 5, access::RW);  // kept, without effect: see `Controller`
inline constexpr Field CF = bit("CF", 6, access::RW);
inline constexpr Field MAXP = bit("MAXP", 7, access::RW);
}  // namespace usbcmd

// 2.1.2 USB Status
namespace usbsts {
inline constexpr Field USBINT = bit("USBINT", 0, access::RW1C);
inline constexpr Field ERROR = bit("USB Error Interrupt", 1, access::RW1C);
inline constexpr Field RD = bit("Resume Detect", 2, access::RW1C);
inline constexpr Field HSE = bit("Host System Error", 3, access::RW1C);
inline constexpr Field HCPE = bit("Host Controller Process Error", 4, access::RW1C);
inline constexpr Field HCHalted = bit("HCHalted", 5, access::RO);  // R/WC in the manual, but it is a state
inline constexpr std::uint64_t kReset = 0x0020;
}  // namespace usbsts

inline constexpr Register kCommandStatus{
    "USBCMD/USBSTS",
    0x00,
    4,
    upper_value(usbsts::kReset),
    {usbcmd::RS, usbcmd::HCRESET, usbcmd::GRESET, usbcmd::EGSM, usbcmd::FGR, usbcmd::SWDBG, usbcmd::CF, usbcmd::MAXP,
     upper(usbsts::USBINT), upper(usbsts::ERROR), upper(usbsts::RD), upper(usbsts::HSE), upper(usbsts::HCPE),
     upper(usbsts::HCHalted)}};

// 2.1.3 USB Interrupt Enable
namespace usbintr {
inline constexpr Field TimeoutCrc = bit("Timeout/CRC", 0, access::RW);
inline constexpr Field Resume = bit("Resume", 1, access::RW);
inline constexpr Field IOC = bit("IOC", 2, access::RW);
inline constexpr Field ShortPacket = bit("Short Packet", 3, access::RW);
}  // namespace usbintr

// 2.1.4 Frame Number: writable only while HCHalted
namespace frnum {
inline constexpr Field Index = bits("Frame List Current Index/Frame Number", 10, 0, access::RW);
}  // namespace frnum

inline constexpr Register kInterruptFrame{
    "USBINTR/FRNUM",
    0x04,
    4,
    0,
    {usbintr::TimeoutCrc, usbintr::Resume, usbintr::IOC, usbintr::ShortPacket, upper(frnum::Index)}};

// 2.1.5 Frame List Base Address
namespace frbaseadd {
inline constexpr Field BaseAddress = bits("Base Address", 31, 12, access::RW);
inline constexpr Register reg{"FRBASEADD", 0x08, 4, 0, {BaseAddress}};
}  // namespace frbaseadd

// 2.1.6 Start Of Frame Modify: kept; frames last a millisecond whatever it says
inline constexpr Register kSofmod{"SOFMOD", 0x0c, 4, 0x40, {bits("SOF Timing Value", 6, 0, access::RW)}};

// 2.1.7 Port Status and Control. Bits 10 and 11 are reserved there; Intel's parts report over-current with them.
namespace portsc {
inline constexpr std::uint32_t kOffset = 0x10;
inline constexpr Field CCS = bit("Current Connect Status", 0, access::RO);
inline constexpr Field CSC = bit("Connect Status Change", 1, access::RW1C);
inline constexpr Field PE = bit("Port Enabled", 2, access::RW);
inline constexpr Field PEC = bit("Port Enable Change", 3, access::RW1C);
inline constexpr Field DPlus = bit("Line Status D+", 4, access::RO);
inline constexpr Field DMinus = bit("Line Status D-", 5, access::RO);
inline constexpr Field RD = bit("Resume Detect", 6, access::RW);
inline constexpr Field One = bit("Always 1", 7, access::RO);  // by which drivers count the ports
inline constexpr Field LSDA = bit("Low Speed Device Attached", 8, access::RO);
inline constexpr Field PR = bit("Port Reset", 9, access::RW);
inline constexpr Field Suspend = bit("Suspend", 12, access::RW);
inline constexpr std::uint64_t kReset = 0x0080;

/// The last one, where the number of ports is odd.
inline constexpr Register kOne{
    "PORTSC", 0x00, 4, kReset, {CCS, CSC, PE, PEC, DPlus, DMinus, RD, One, LSDA, PR, Suspend}};
inline constexpr Register kPair{
    "PORTSC/PORTSC",
    0x00,
    4,
    kReset | upper_value(kReset),
    {CCS,           CSC,       PE,         PEC,         DPlus,      DMinus,        RD,         One,
     LSDA,          PR,        Suspend,    upper(CCS),  upper(CSC), upper(PE),     upper(PEC), upper(DPlus),
     upper(DMinus), upper(RD), upper(One), upper(LSDA), upper(PR),  upper(Suspend)}};
}  // namespace portsc

// --- 5 PCI Configuration Registers

// 5.1.2 (60h) Serial Bus Release Number: USB 1.0, as every part says whatever it does
inline constexpr Register kSerialBusRelease{"SBRN", 0x60, 4, 0x10, {bits("SBRN", 7, 0, access::RO)}};

// 5.2.1 (C0h) Legacy Support
namespace legsup {
inline constexpr Register reg{
    "LEGSUP",
    0xc0,
    4,
    0x2000,
    {bit("60REN", 0, access::RW), bit("60WEN", 1, access::RW), bit("64REN", 2, access::RW), bit("64WEN", 3, access::RW),
     bit("USBSMIEN", 4, access::RW), bit("A20PTEN", 5, access::RW), bit("PSS", 6, access::RO),
     bit("SMIEPTE", 7, access::RW), bit("TBY60R", 8, access::RW1C), bit("TBY60W", 9, access::RW1C),
     bit("TBY64R", 10, access::RW1C), bit("TBY64W", 11, access::RW1C), bit("USBIRQS", 12, access::RO),
     bit("USBPIRQDEN", 13, access::RW), bit("A20PTS", 15, access::RW1C)}};
}  // namespace legsup

}  // namespace periplex::usb::uhci

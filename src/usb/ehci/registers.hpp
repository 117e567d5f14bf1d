// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register.hpp"

/// Enhanced Host Controller Interface for Universal Serial Bus, revision 1.0, chapter 2: the registers, and only what
/// the manual says.
namespace periplex::usb::ehci {

namespace access {
inline constexpr Access RO = Access::RO;
inline constexpr Access RW = Access::RW;
inline constexpr Access RW1C = Access::RW1C;
inline constexpr Access RW1S = Access::RW1S;
}  // namespace access

// --- 2.2 Host Controller Capability Registers
// -------------------------------------------------------------------------

// 2.2.1 and 2.2.2: one dword
namespace caplength {
inline constexpr Field CAPLENGTH = bits("CAPLENGTH", 7, 0, access::RO);
inline constexpr Field HCIVERSION = bits("HCIVERSION", 31, 16, access::RO);
inline constexpr Register reg{"CAPLENGTH/HCIVERSION", 0x00, 4, 0, {CAPLENGTH, HCIVERSION}};
}  // namespace caplength

// 2.2.3 Structural Parameters
namespace hcsparams {
inline constexpr Field N_PORTS = bits("N_PORTS", 3, 0, access::RO);
inline constexpr Field PPC = bit("PPC", 4, access::RO);
inline constexpr Field PortRoutingRules = bit("Port Routing Rules", 7, access::RO);
inline constexpr Field N_PCC = bits("N_PCC", 11, 8, access::RO);
inline constexpr Field N_CC = bits("N_CC", 15, 12, access::RO);
inline constexpr Field P_INDICATOR = bit("P_INDICATOR", 16, access::RO);
inline constexpr Field DebugPortNumber = bits("Debug Port Number", 23, 20, access::RO);
inline constexpr Register reg{
    "HCSPARAMS", 0x04, 4, 0, {N_PORTS, PPC, PortRoutingRules, N_PCC, N_CC, P_INDICATOR, DebugPortNumber}};
}  // namespace hcsparams

// 2.2.4 Capability Parameters
namespace hccparams {
inline constexpr Field AC64 = bit("64-bit Addressing Capability", 0, access::RO);
inline constexpr Field ProgrammableFrameList = bit("Programmable Frame List Flag", 1, access::RO);
inline constexpr Field AsyncSchedulePark = bit("Asynchronous Schedule Park Capability", 2, access::RO);
inline constexpr Field IsochronousSchedulingThreshold = bits("Isochronous Scheduling Threshold", 7, 4, access::RO);
inline constexpr Field EECP = bits("EECP", 15, 8, access::RO);
inline constexpr Register reg{
    "HCCPARAMS", 0x08, 4, 0, {AC64, ProgrammableFrameList, AsyncSchedulePark, IsochronousSchedulingThreshold, EECP}};
}  // namespace hccparams

// --- 2.3 Host Controller Operational Registers
// ------------------------------------------------------------------------

// 2.3.1 USB Command
namespace usbcmd {
inline constexpr Field RS = bit("RS", 0, access::RW);
inline constexpr Field HCRESET = bit("HCRESET", 1, access::RW1S);
inline constexpr Field FrameListSize = bits("Frame List Size", 3, 2, access::RW);
inline constexpr Field PSE = bit("Periodic Schedule Enable", 4, access::RW);
inline constexpr Field ASE = bit("Asynchronous Schedule Enable", 5, access::RW);
inline constexpr Field IAAD = bit("Interrupt on Async Advance Doorbell", 6, access::RW1S);
inline constexpr Field LightReset = bit("Light Host Controller Reset", 7, access::RO);  // optional: not implemented
inline constexpr Field ParkModeCount = bits("Asynchronous Schedule Park Mode Count", 9, 8, access::RW);
inline constexpr Field ParkModeEnable = bit("Asynchronous Schedule Park Mode Enable", 11, access::RW);
inline constexpr Field InterruptThreshold = bits("Interrupt Threshold Control", 23, 16, access::RW);
inline constexpr Register reg{
    "USBCMD",
    0x00,
    4,
    0x0008'0b00,
    {RS, HCRESET, FrameListSize, PSE, ASE, IAAD, LightReset, ParkModeCount, ParkModeEnable, InterruptThreshold}};
}  // namespace usbcmd

// 2.3.2 USB Status
namespace usbsts {
inline constexpr Field USBINT = bit("USBINT", 0, access::RW1C);
inline constexpr Field USBERRINT = bit("USBERRINT", 1, access::RW1C);
inline constexpr Field PortChangeDetect = bit("Port Change Detect", 2, access::RW1C);
inline constexpr Field FrameListRollover = bit("Frame List Rollover", 3, access::RW1C);
inline constexpr Field HostSystemError = bit("Host System Error", 4, access::RW1C);
inline constexpr Field AsyncAdvance = bit("Interrupt on Async Advance", 5, access::RW1C);
inline constexpr Field HCHalted = bit("HCHalted", 12, access::RO);
inline constexpr Field Reclamation = bit("Reclamation", 13, access::RO);
inline constexpr Field PeriodicScheduleStatus = bit("Periodic Schedule Status", 14, access::RO);
inline constexpr Field AsyncScheduleStatus = bit("Asynchronous Schedule Status", 15, access::RO);
inline constexpr Register reg{"USBSTS",
                              0x04,
                              4,
                              0x0000'1000,
                              {USBINT, USBERRINT, PortChangeDetect, FrameListRollover, HostSystemError, AsyncAdvance,
                               HCHalted, Reclamation, PeriodicScheduleStatus, AsyncScheduleStatus}};
static_assert(reg.mask(Access::RW1C) == 0x3f);
}  // namespace usbsts

// 2.3.3 USB Interrupt Enable: bit by bit what USBSTS has in its low six
namespace usbintr {
inline constexpr Field Enables = bits("Enables", 5, 0, access::RW);
inline constexpr Field FrameListRollover = bit("Frame List Rollover Enable", 3, access::RW);
inline constexpr Register reg{"USBINTR", 0x08, 4, 0, {Enables}};
}  // namespace usbintr

// 2.3.4 Frame Index
namespace frindex {
inline constexpr Field Index = bits("Frame Index", 13, 0, access::RW);
inline constexpr Register reg{"FRINDEX", 0x0c, 4, 0, {Index}};
}  // namespace frindex

// 2.3.5 Control Data Structure Segment is not there: "If the 64-bit Addressing Capability field in HCCPARAMS is a zero,
// then this register is not used. Software cannot write to it and a read from this register must return zeros."

// 2.3.6 Periodic Frame List Base Address, 2.3.7 Current Asynchronous List Address
namespace periodiclistbase {
inline constexpr Field BaseAddress = bits("Base Address", 31, 12, access::RW);
inline constexpr Register reg{"PERIODICLISTBASE", 0x14, 4, 0, {BaseAddress}};
}  // namespace periodiclistbase
namespace asynclistaddr {
inline constexpr Field LinkPointer = bits("Link Pointer Low", 31, 5, access::RW);
inline constexpr Register reg{"ASYNCLISTADDR", 0x18, 4, 0, {LinkPointer}};
}  // namespace asynclistaddr

// 2.3.8 Configure Flag
namespace configflag {
inline constexpr Field CF = bit("CF", 0, access::RW);
inline constexpr Register reg{"CONFIGFLAG", 0x40, 4, 0, {CF}};
}  // namespace configflag

inline constexpr std::uint32_t kPortRegistersOffset = 0x44;  // of the first port, from the operational base
inline constexpr std::uint32_t kPortRegistersStride = 4;

// 2.3.9 Port Status and Control. Bits whose writes are commands are declared RO: they change only as the port says.
namespace portsc {
inline constexpr Field CurrentConnectStatus = bit("Current Connect Status", 0, access::RO);
inline constexpr Field ConnectStatusChange = bit("Connect Status Change", 1, access::RW1C);
inline constexpr Field PortEnabled = bit("Port Enabled", 2, access::RO);  // RW: writing 0 disables
inline constexpr Field PortEnableChange = bit("Port Enable Change", 3, access::RW1C);
inline constexpr Field OverCurrentActive = bit("Over-current Active", 4, access::RO);
inline constexpr Field OverCurrentChange = bit("Over-current Change", 5, access::RW1C);
inline constexpr Field ForcePortResume = bit("Force Port Resume", 6, access::RO);  // RW
inline constexpr Field Suspend = bit("Suspend", 7, access::RO);                    // RW: writing 1 suspends
inline constexpr Field PortReset = bit("Port Reset", 8, access::RO);               // RW
inline constexpr Field LineStatus = bits("Line Status", 11, 10, access::RO);
inline constexpr Field PortPower = bit("Port Power", 12, access::RO);                       // PPC is 0: always powered
inline constexpr Field PortOwner = bit("Port Owner", 13, access::RO);                       // RW
inline constexpr Field PortIndicator = bits("Port Indicator Control", 15, 14, access::RO);  // P_INDICATOR is 0
inline constexpr Field PortTestControl = bits("Port Test Control", 19, 16, access::RW);
inline constexpr Field WKCNNT_E = bit("WKCNNT_E", 20, access::RW);
inline constexpr Field WKDSCNNT_E = bit("WKDSCNNT_E", 21, access::RW);
inline constexpr Field WKOC_E = bit("WKOC_E", 22, access::RW);
inline constexpr Register reg{"PORTSC",
                              0x0,
                              4,
                              0,
                              {CurrentConnectStatus, ConnectStatusChange, PortEnabled, PortEnableChange,
                               OverCurrentActive, OverCurrentChange, ForcePortResume, Suspend, PortReset, LineStatus,
                               PortPower, PortOwner, PortIndicator, PortTestControl, WKCNNT_E, WKDSCNNT_E, WKOC_E}};
/// Line Status, as D+ and D- stand while nothing is enabled (table 2-16).
inline constexpr std::uint64_t kLineSe0 = 0;
inline constexpr std::uint64_t kLineKState = 1;  // a low-speed device: "release ownership of port"
inline constexpr std::uint64_t kLineJState = 2;
}  // namespace portsc

}  // namespace periplex::usb::ehci

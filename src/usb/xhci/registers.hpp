// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/register.hpp"

/// eXtensible Host Controller Interface for USB, revision 1.2, chapter 5: the registers, and only what the manual says.
namespace periplex::usb::xhci {

namespace access {
inline constexpr Access RO = Access::RO;
inline constexpr Access RW = Access::RW;
inline constexpr Access RW1C = Access::RW1C;
inline constexpr Access RW1S = Access::RW1S;
}  // namespace access

// --- 5.3 Host Controller Capability Registers
// -------------------------------------------------------------------------

// 5.3.1 and 5.3.2: one dword
namespace caplength {
inline constexpr Field CAPLENGTH = bits("CAPLENGTH", 7, 0, access::RO);
inline constexpr Field HCIVERSION = bits("HCIVERSION", 31, 16, access::RO);
inline constexpr Register reg{"CAPLENGTH/HCIVERSION", 0x00, 4, 0, {CAPLENGTH, HCIVERSION}};
}  // namespace caplength

// 5.3.3 Structural Parameters 1
namespace hcsparams1 {
inline constexpr Field MaxSlots = bits("MaxSlots", 7, 0, access::RO);
inline constexpr Field MaxIntrs = bits("MaxIntrs", 18, 8, access::RO);
inline constexpr Field MaxPorts = bits("MaxPorts", 31, 24, access::RO);
inline constexpr Register reg{"HCSPARAMS1", 0x04, 4, 0, {MaxSlots, MaxIntrs, MaxPorts}};
}  // namespace hcsparams1

// 5.3.4 Structural Parameters 2
namespace hcsparams2 {
inline constexpr Field IST = bits("IST", 3, 0, access::RO);
inline constexpr Field ERSTMax = bits("ERST Max", 7, 4, access::RO);
inline constexpr Register reg{"HCSPARAMS2",
                              0x08,
                              4,
                              0,
                              {IST, ERSTMax, bits("Max Scratchpad Bufs Hi", 25, 21, access::RO),
                               bit("SPR", 26, access::RO), bits("Max Scratchpad Bufs Lo", 31, 27, access::RO)}};
}  // namespace hcsparams2

// 5.3.5 Structural Parameters 3
namespace hcsparams3 {
inline constexpr Register reg{
    "HCSPARAMS3",
    0x0c,
    4,
    0,
    {bits("U1 Device Exit Latency", 7, 0, access::RO), bits("U2 Device Exit Latency", 31, 16, access::RO)}};
}  // namespace hcsparams3

// 5.3.6 Capability Parameters 1
namespace hccparams1 {
inline constexpr Field AC64 = bit("AC64", 0, access::RO);
inline constexpr Field CSZ = bit("CSZ", 2, access::RO);
inline constexpr Field PPC = bit("PPC", 3, access::RO);
inline constexpr Field NSS = bit("NSS", 7, access::RO);
inline constexpr Field MaxPSASize = bits("MaxPSASize", 15, 12, access::RO);
inline constexpr Field xECP = bits("xECP", 31, 16, access::RO);
inline constexpr Register reg{"HCCPARAMS1", 0x10, 4, 0, {AC64, CSZ, PPC, NSS, MaxPSASize, xECP}};
}  // namespace hccparams1

// 5.3.7 Doorbell Offset, 5.3.8 Runtime Register Space Offset, 5.3.9 Capability Parameters 2
inline constexpr Register kDboff{"DBOFF", 0x14, 4, 0, {bits("Doorbell Array Offset", 31, 2, access::RO)}};
inline constexpr Register kRtsoff{"RTSOFF", 0x18, 4, 0, {bits("Runtime Register Space Offset", 31, 5, access::RO)}};
inline constexpr Register kHccparams2{"HCCPARAMS2", 0x1c, 4, 0, {bits("Capabilities", 9, 0, access::RO)}};

// --- 5.4 Host Controller Operational Registers
// ------------------------------------------------------------------------

// 5.4.1 USB Command
namespace usbcmd {
inline constexpr Field RS = bit("R/S", 0, access::RW);
inline constexpr Field HCRST = bit("HCRST", 1, access::RW1S);
inline constexpr Field INTE = bit("INTE", 2, access::RW);
inline constexpr Field HSEE = bit("HSEE", 3, access::RW);
inline constexpr Field CSS = bit("CSS", 8, access::RW1S);
inline constexpr Field CRS = bit("CRS", 9, access::RW1S);
inline constexpr Field EWE = bit("EWE", 10, access::RW);
inline constexpr Field EU3S = bit("EU3S", 11, access::RW);
inline constexpr Register reg{"USBCMD", 0x00, 4, 0, {RS, HCRST, INTE, HSEE, CSS, CRS, EWE, EU3S}};
}  // namespace usbcmd

// 5.4.2 USB Status
namespace usbsts {
inline constexpr Field HCH = bit("HCH", 0, access::RO);
inline constexpr Field HSE = bit("HSE", 2, access::RW1C);
inline constexpr Field EINT = bit("EINT", 3, access::RW1C);
inline constexpr Field PCD = bit("PCD", 4, access::RW1C);
inline constexpr Field SSS = bit("SSS", 8, access::RO);
inline constexpr Field RSS = bit("RSS", 9, access::RO);
inline constexpr Field SRE = bit("SRE", 10, access::RW1C);
inline constexpr Field CNR = bit("CNR", 11, access::RO);
inline constexpr Field HCE = bit("HCE", 12, access::RO);
inline constexpr Register reg{"USBSTS", 0x04, 4, 0x0000'0001, {HCH, HSE, EINT, PCD, SSS, RSS, SRE, CNR, HCE}};
static_assert(reg.mask(Access::RW1C) == 0x0000'041c);
}  // namespace usbsts

// 5.4.3 Page Size: bit n set means 2^(n+12) bytes
inline constexpr Register kPagesize{"PAGESIZE", 0x08, 4, 0x0000'0001, {bits("Page Size", 15, 0, access::RO)}};
// 5.4.4 Device Notification Control
inline constexpr Register kDnctrl{"DNCTRL", 0x14, 4, 0, {bits("N", 15, 0, access::RW)}};

// 5.4.5 Command Ring Control. The pointer and RCS read as zero; they are kept elsewhere.
namespace crcr {
inline constexpr Field RCS = bit("RCS", 0, access::RW);
inline constexpr Field CS = bit("CS", 1, access::RW1S);
inline constexpr Field CA = bit("CA", 2, access::RW1S);
inline constexpr Field CRR = bit("CRR", 3, access::RO);
inline constexpr Field Pointer = bits("Command Ring Pointer", 63, 6, access::RW);
inline constexpr Register reg{"CRCR", 0x18, 8, 0, {RCS, CS, CA, CRR, Pointer}};
}  // namespace crcr

// 5.4.6 Device Context Base Address Array Pointer
namespace dcbaap {
inline constexpr Field Pointer = bits("Pointer", 63, 6, access::RW);
inline constexpr Register reg{"DCBAAP", 0x30, 8, 0, {Pointer}};
}  // namespace dcbaap

// 5.4.7 Configure
namespace config {
inline constexpr Field MaxSlotsEn = bits("MaxSlotsEn", 7, 0, access::RW);
inline constexpr Register reg{"CONFIG", 0x38, 4, 0, {MaxSlotsEn, bit("U3E", 8, access::RW), bit("CIE", 9, access::RW)}};
}  // namespace config

inline constexpr std::uint32_t kPortRegistersOffset = 0x400;  // of the first port's set, from the operational base
inline constexpr std::uint32_t kPortRegistersStride = 0x10;

// 5.4.8 Port Status and Control
namespace portsc {
inline constexpr Field CCS = bit("CCS", 0, access::RO);
inline constexpr Field PED = bit("PED", 1, access::RO);  // RW1CS in the manual: its write disables the port
inline constexpr Field OCA = bit("OCA", 3, access::RO);
inline constexpr Field PR = bit("PR", 4, access::RO);        // RW1S: a command, acted on at once
inline constexpr Field PLS = bits("PLS", 8, 5, access::RO);  // RWS: only together with LWS
inline constexpr Field PP = bit("PP", 9, access::RO);        // RWS, but PPC is 0: always powered
inline constexpr Field PortSpeed = bits("Port Speed", 13, 10, access::RO);
inline constexpr Field PIC = bits("PIC", 15, 14, access::RW);
inline constexpr Field LWS = bit("LWS", 16, access::RO);  // a strobe: reads as zero
inline constexpr Field CSC = bit("CSC", 17, access::RW1C);
inline constexpr Field PEC = bit("PEC", 18, access::RW1C);
inline constexpr Field WRC = bit("WRC", 19, access::RW1C);
inline constexpr Field OCC = bit("OCC", 20, access::RW1C);
inline constexpr Field PRC = bit("PRC", 21, access::RW1C);
inline constexpr Field PLC = bit("PLC", 22, access::RW1C);
inline constexpr Field CEC = bit("CEC", 23, access::RW1C);
inline constexpr Field CAS = bit("CAS", 24, access::RO);
inline constexpr Field WCE = bit("WCE", 25, access::RW);
inline constexpr Field WDE = bit("WDE", 26, access::RW);
inline constexpr Field WOE = bit("WOE", 27, access::RW);
inline constexpr Field DR = bit("DR", 30, access::RO);
inline constexpr Field WPR = bit("WPR", 31, access::RO);  // RW1S: a command, acted on at once
inline constexpr Register reg{"PORTSC", 0x0, 4, 0, {CCS, PED, OCA, PR,  PLS, PP,  PortSpeed, PIC, LWS, CSC, PEC,
                                                    WRC, OCC, PRC, PLC, CEC, CAS, WCE,       WDE, WOE, DR,  WPR}};
inline constexpr std::uint64_t kChangeBits = reg.mask(Access::RW1C);
}  // namespace portsc

// 5.4.9 to 5.4.11: their layout depends on the port's protocol; values are kept and have no further effect, because the
// link power states they steer do not exist between a controller and an adapter in one process.
inline constexpr Register kPortpmsc{"PORTPMSC", 0x4, 4, 0, {bits("Port PM", 31, 0, access::RW)}};
inline constexpr Register kPortli{"PORTLI", 0x8, 4, 0, {bits("Link Error Count", 15, 0, access::RW)}};
inline constexpr Register kPorthlpmc{"PORTHLPMC", 0xc, 4, 0, {bits("Hardware LPM", 31, 0, access::RW)}};

// --- 5.5 Host Controller Runtime Registers
// ----------------------------------------------------------------------------

// 5.5.1 Microframe Index
inline constexpr Register kMfindex{"MFINDEX", 0x00, 4, 0, {bits("Microframe Index", 13, 0, access::RO)}};

inline constexpr std::uint32_t kInterrupterOffset = 0x20;  // of the first interrupter's set, from the runtime base
inline constexpr std::uint32_t kInterrupterStride = 0x20;

// 5.5.2.1 Interrupter Management
namespace iman {
inline constexpr Field IP = bit("IP", 0, access::RW1C);
inline constexpr Field IE = bit("IE", 1, access::RW);
inline constexpr Register reg{"IMAN", 0x00, 4, 0, {IP, IE}};
}  // namespace iman

// 5.5.2.2 Interrupter Moderation: the interval in units of 250 ns. The counter is not kept as a value; it reads as
// zero.
namespace imod {
inline constexpr Field IMODI = bits("IMODI", 15, 0, access::RW);
inline constexpr Field IMODC = bits("IMODC", 31, 16, access::RO);
inline constexpr Register reg{"IMOD", 0x04, 4, 4000, {IMODI, IMODC}};
}  // namespace imod

// 5.5.2.3.1 Event Ring Segment Table Size
namespace erstsz {
inline constexpr Field Size = bits("Event Ring Segment Table Size", 15, 0, access::RW);
inline constexpr Register reg{"ERSTSZ", 0x08, 4, 0, {Size}};
}  // namespace erstsz

// 5.5.2.3.2 Event Ring Segment Table Base Address
namespace erstba {
inline constexpr Field Pointer = bits("Pointer", 63, 6, access::RW);
inline constexpr Register reg{"ERSTBA", 0x10, 8, 0, {Pointer}};
}  // namespace erstba

// 5.5.2.3.3 Event Ring Dequeue Pointer
namespace erdp {
inline constexpr Field DESI = bits("DESI", 2, 0, access::RW);
inline constexpr Field EHB = bit("EHB", 3, access::RW1C);
inline constexpr Field Pointer = bits("Pointer", 63, 4, access::RW);
inline constexpr Register reg{"ERDP", 0x18, 8, 0, {DESI, EHB, Pointer}};
}  // namespace erdp

// --- 5.6 Doorbell Registers: write only, they read as zero
// --------------------------------------------------------------

namespace doorbell {
inline constexpr Field Target = bits("DB Target", 7, 0, access::RW);
inline constexpr Field StreamId = bits("DB Stream ID", 31, 16, access::RW);
inline constexpr Register reg{"DOORBELL", 0x00, 4, 0, {Target, StreamId}};
}  // namespace doorbell

// --- 7.2 xHCI Supported Protocol Capability
// -----------------------------------------------------------------------------

namespace supported_protocol {
inline constexpr Field CapabilityId = bits("Capability ID", 7, 0, access::RO);
inline constexpr Field NextPointer = bits("Next Capability Pointer", 15, 8, access::RO);
inline constexpr Field MinorRevision = bits("Minor Revision", 23, 16, access::RO);
inline constexpr Field MajorRevision = bits("Major Revision", 31, 24, access::RO);
inline constexpr Register header{"PROTOCOL.0", 0x0, 4, 0, {CapabilityId, NextPointer, MinorRevision, MajorRevision}};
inline constexpr Register name_string{
    "PROTOCOL.4", 0x4, 4, 0x2042'5355, {bits("Name String", 31, 0, access::RO)}};  // "USB "
inline constexpr Field CompatiblePortOffset = bits("Compatible Port Offset", 7, 0, access::RO);
inline constexpr Field CompatiblePortCount = bits("Compatible Port Count", 15, 8, access::RO);
inline constexpr Field PSIC = bits("PSIC", 31, 28, access::RO);
inline constexpr Register ports{"PROTOCOL.8", 0x8, 4, 0, {CompatiblePortOffset, CompatiblePortCount, PSIC}};
inline constexpr Field SlotType = bits("Protocol Slot Type", 4, 0, access::RO);
inline constexpr Register slot_type{"PROTOCOL.C", 0xc, 4, 0, {SlotType}};
inline constexpr std::uint8_t kCapabilityId = 2;
inline constexpr std::uint32_t kSize = 0x10;
}  // namespace supported_protocol

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>

#include "base/register.hpp"
#include "guest/memory.hpp"
#include "usb/endpoint.hpp"
#include "usb/xhci/ring.hpp"

/// xHCI 1.2 §6.2: contexts, copied from guest memory as values and written back whole. Context size is 32 bytes
/// (CSZ=0).
namespace periplex::usb::xhci {

inline constexpr std::uint64_t kContextSize = 32;
/// Device Context Index: 0 is the slot, 1 the default control endpoint, 2n and 2n+1 endpoint n out and in (§4.5.1).
inline constexpr unsigned kContexts = 32;
inline constexpr unsigned kControlDci = 1;

/// Table 6-7, Slot State. `enabled` is what the table calls Disabled/Enabled: the guest tells them apart by commands.
enum class SlotState : std::uint8_t { disabled_enabled = 0, default_ = 1, addressed = 2, configured = 3 };

/// Table 6-8, EP State.
enum class EndpointState : std::uint8_t { disabled = 0, running = 1, halted = 2, stopped = 3, error = 4 };

/// Table 6-9, EP Type.
enum class EndpointType : std::uint8_t {
  not_valid = 0,
  isoch_out = 1,
  bulk_out = 2,
  interrupt_out = 3,
  control = 4,
  isoch_in = 5,
  bulk_in = 6,
  interrupt_in = 7,
};

using ContextWords = std::array<std::uint32_t, kContextSize / 4>;

/// §6.2.2 Slot Context
struct SlotContext {
  ContextWords words{};

  static constexpr Field RouteString = bits("Route String", 19, 0, Access::RW);               // dword 0
  static constexpr Field Speed = bits("Speed", 23, 20, Access::RW);                           // dword 0
  static constexpr Field ContextEntries = bits("Context Entries", 31, 27, Access::RW);        // dword 0
  static constexpr Field MaxExitLatency = bits("Max Exit Latency", 15, 0, Access::RW);        // dword 1
  static constexpr Field RootHubPort = bits("Root Hub Port Number", 23, 16, Access::RW);      // dword 1
  static constexpr Field InterrupterTarget = bits("Interrupter Target", 31, 22, Access::RW);  // dword 2
  static constexpr Field UsbDeviceAddress = bits("USB Device Address", 7, 0, Access::RW);     // dword 3
  static constexpr Field State = bits("Slot State", 31, 27, Access::RW);                      // dword 3

  [[nodiscard]] std::uint32_t get(unsigned dword, const Field& field) const {
    return static_cast<std::uint32_t>(field.get(words[dword]));
  }
  void set(unsigned dword, const Field& field, std::uint64_t value) {
    words[dword] = static_cast<std::uint32_t>(field.set(words[dword], value));
  }

  [[nodiscard]] unsigned root_hub_port() const { return get(1, RootHubPort); }
  [[nodiscard]] std::uint32_t route_string() const { return get(0, RouteString); }
  void set_state(SlotState state) { set(3, State, static_cast<std::uint64_t>(state)); }
  void set_address(std::uint8_t address) { set(3, UsbDeviceAddress, address); }
};

/// §6.2.3 Endpoint Context
struct EndpointContext {
  ContextWords words{};

  static constexpr Field State = bits("EP State", 2, 0, Access::RW);                   // dword 0
  static constexpr Field MaxPStreams = bits("MaxPStreams", 14, 10, Access::RW);        // dword 0
  static constexpr Field LSA = bit("LSA", 15, Access::RW);                             // dword 0
  static constexpr Field Interval = bits("Interval", 23, 16, Access::RW);              // dword 0
  static constexpr Field CErr = bits("CErr", 2, 1, Access::RW);                        // dword 1
  static constexpr Field Type = bits("EP Type", 5, 3, Access::RW);                     // dword 1
  static constexpr Field MaxPacketSize = bits("Max Packet Size", 31, 16, Access::RW);  // dword 1
  static constexpr Field DCS = bit("DCS", 0, Access::RW);                              // dword 2

  [[nodiscard]] EndpointType type() const { return static_cast<EndpointType>(Type.get(words[1])); }
  [[nodiscard]] unsigned max_packet_size() const { return static_cast<unsigned>(MaxPacketSize.get(words[1])); }
  [[nodiscard]] unsigned max_primary_streams() const { return static_cast<unsigned>(MaxPStreams.get(words[0])); }
  [[nodiscard]] bool linear_stream_array() const { return LSA.test(words[0]); }
  /// The exponent of the service interval: 2^n microframes.
  [[nodiscard]] unsigned interval() const { return static_cast<unsigned>(Interval.get(words[0])); }
  void set_max_packet_size(unsigned size) { words[1] = static_cast<std::uint32_t>(MaxPacketSize.set(words[1], size)); }
  void set_state(EndpointState state) {
    words[0] = static_cast<std::uint32_t>(State.set(words[0], static_cast<std::uint64_t>(state)));
  }
  [[nodiscard]] RingPosition dequeue() const;
  void set_dequeue(RingPosition position);
};

/// §6.2.4.1, Stream Context Type. Secondary stream arrays (0 and from 2 on) are not served: HCCPARAMS1.NSS.
enum class StreamContextType : std::uint8_t { secondary_ring = 0, primary_ring = 1 };

/// §6.2.4.1 Stream Context: where the ring of one stream goes on
struct StreamContext {
  static constexpr std::uint64_t kSize = 16;
  static constexpr Field DCS = bit("DCS", 0, Access::RW);
  static constexpr Field SCT = bits("SCT", 3, 1, Access::RW);
  static constexpr Field Pointer = bits("TR Dequeue Pointer", 63, 4, Access::RW);

  std::uint64_t dequeue_word = 0;  // dwords 0 and 1; Set TR Dequeue Pointer's parameter looks the same (§6.4.3.9)

  [[nodiscard]] StreamContextType type() const { return static_cast<StreamContextType>(SCT.get(dequeue_word)); }
  [[nodiscard]] RingPosition dequeue() const {
    return {GuestAddress(dequeue_word & Pointer.mask()), DCS.test(dequeue_word)};
  }
  [[nodiscard]] static StreamContext primary(RingPosition position) {
    const std::uint64_t type = SCT.set(0, static_cast<std::uint64_t>(StreamContextType::primary_ring));
    return {(position.address.value & Pointer.mask()) | type | (position.cycle ? 1u : 0u)};
  }
};

/// §6.2.5.1 Input Control Context
struct InputControlContext {
  std::uint32_t drop_flags = 0;
  std::uint32_t add_flags = 0;
  [[nodiscard]] bool drops(unsigned dci) const { return (drop_flags >> dci & 1) != 0; }
  [[nodiscard]] bool adds(unsigned dci) const { return (add_flags >> dci & 1) != 0; }
};

/// §6.2.5 Input Context in guest memory: the control context, then a device context.
class InputContext {
 public:
  InputContext(const guest::Memory& memory, GuestAddress address) : memory_(memory), address_(address) {}
  [[nodiscard]] std::expected<InputControlContext, guest::Fault> control() const;
  [[nodiscard]] std::expected<SlotContext, guest::Fault> slot() const;
  [[nodiscard]] std::expected<EndpointContext, guest::Fault> endpoint(unsigned dci) const;

 private:
  const guest::Memory& memory_;
  GuestAddress address_;
};

/// §6.2.1 Device Context in guest memory: what the controller tells the guest about a slot and its endpoints.
class DeviceContext {
 public:
  DeviceContext(guest::Memory& memory, GuestAddress address) : memory_(&memory), address_(address) {}
  [[nodiscard]] std::expected<void, guest::Fault> write_slot(const SlotContext& context);
  [[nodiscard]] std::expected<void, guest::Fault> write_endpoint(unsigned dci, const EndpointContext& context);

 private:
  guest::Memory* memory_;
  GuestAddress address_;
};

/// The endpoint behind a Device Context Index, and its transfer type.
[[nodiscard]] EndpointAddress endpoint_address(unsigned dci);
[[nodiscard]] TransferType transfer_type(EndpointType type);

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "guest/memory.hpp"
#include "pci/function.hpp"
#include "usb/setup_packet.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::uhci::testing {

using guest::GuestAddress;

/// A transfer descriptor's fields, as a driver thinks of them.
struct Packet {
  std::uint8_t pid = 0xe1;
  unsigned device = 0;
  unsigned endpoint = 0;
  GuestAddress buffer;
  std::uint32_t length = 0;
  bool interrupt_on_complete = false;
  bool short_packet_detect = false;
  bool isochronous = false;
  bool active = true;
  bool toggle = false;
};

inline constexpr std::uint8_t kPidIn = 0x69;
inline constexpr std::uint8_t kPidOut = 0xe1;
inline constexpr std::uint8_t kPidSetup = 0x2d;

/// A small UHCI driver, as a guest would write it after the design guide.
///
/// It is the tests' guest: it shares no code with the controller. Its schedule is the usual one: every frame leads to
/// one list of queue heads (`asynchronous`), those whose number is a multiple of 8 through another one before it
/// (`interrupt`).
class Driver {
 public:
  static constexpr unsigned kFrames = 1024;
  static constexpr std::uint32_t kTerminate = 1;
  static constexpr std::uint32_t kToQueueHead = 2;
  static constexpr std::uint32_t kDepthFirst = 4;

  Driver(pci::BarModel& registers, guest::Memory& memory) : registers_(registers), memory_(memory) {}

  // --- registers
  [[nodiscard]] std::uint16_t in16(std::uint32_t offset) const;
  void out16(std::uint32_t offset, std::uint16_t value) const;
  void out32(std::uint32_t offset, std::uint32_t value) const;
  [[nodiscard]] std::uint16_t command() const { return in16(0x00); }
  [[nodiscard]] std::uint16_t status() const { return in16(0x02); }
  void clear_status(std::uint16_t bits) const { out16(0x02, bits); }
  [[nodiscard]] std::uint16_t frame_number() const { return in16(0x06); }
  [[nodiscard]] std::uint16_t portsc(unsigned port) const { return in16(0x10 + (port - 1) * 2); }
  void write_portsc(unsigned port, std::uint16_t value) const { out16(0x10 + (port - 1) * 2, value); }

  /// Host controller reset, the schedule, all interrupts, and run.
  void start();
  void run() const { out16(0x00, 0x00c1); }
  void stop() const { out16(0x00, 0x00c0); }
  /// Reset and enable, as a driver does on a connect event.
  void enable_port(unsigned port) const;

  // --- memory
  [[nodiscard]] GuestAddress allocate(std::uint64_t size, std::uint64_t alignment = 16);
  [[nodiscard]] std::uint32_t read32(GuestAddress address) const;
  void write32(GuestAddress address, std::uint32_t value) const;
  void put(GuestAddress address, ByteView bytes) const { (void)memory_.write(address, bytes); }
  [[nodiscard]] Bytes get(GuestAddress address, std::size_t size) const;

  // --- the schedule
  [[nodiscard]] GuestAddress frame_entry(unsigned frame) const {
    return frame_list_ + std::uint64_t{frame % kFrames} * 4;
  }
  [[nodiscard]] GuestAddress asynchronous() const { return asynchronous_; }
  [[nodiscard]] GuestAddress interrupt() const { return interrupt_; }
  /// A new queue head, empty, behind `before`.
  GuestAddress add_queue(GuestAddress before);
  /// Takes the queue head behind `before` out of the schedule, and leaves it as it is.
  void unlink_queue(GuestAddress before) const;
  [[nodiscard]] std::uint32_t element(GuestAddress queue) const { return read32(queue + 4); }
  void set_element(GuestAddress queue, std::uint32_t link) const { write32(queue + 4, link); }

  // --- transfer descriptors
  [[nodiscard]] GuestAddress make(const Packet& packet, std::uint32_t link = kTerminate);
  void rewrite(GuestAddress descriptor, const Packet& packet, std::uint32_t link) const;
  [[nodiscard]] std::uint32_t td_status(GuestAddress descriptor) const { return read32(descriptor + 4); }
  [[nodiscard]] bool active(GuestAddress descriptor) const { return (td_status(descriptor) >> 23 & 1) != 0; }
  [[nodiscard]] bool stalled(GuestAddress descriptor) const { return (td_status(descriptor) >> 22 & 1) != 0; }
  [[nodiscard]] bool timed_out(GuestAddress descriptor) const { return (td_status(descriptor) >> 18 & 1) != 0; }
  [[nodiscard]] std::uint32_t actual(GuestAddress descriptor) const { return (td_status(descriptor) + 1) & 0x7ff; }

  /// Makes the descriptors of a data set, `whole.length` bytes in packets of `packet_size`: short packets are detected
  /// in all but the last, which interrupts.
  [[nodiscard]] std::vector<GuestAddress> make_data_set(const Packet& whole, std::uint32_t packet_size,
                                                        bool breadth_first = false);
  /// As `make_data_set`, and puts it into `queue`, which is empty.
  std::vector<GuestAddress> queue_data_set(GuestAddress queue, const Packet& whole, std::uint32_t packet_size);
  /// Setup, data and status stage of a control transfer, put into `queue`.
  std::vector<GuestAddress> queue_control(GuestAddress queue, unsigned device, const SetupPacket& setup,
                                          GuestAddress data = {}, std::uint32_t packet_size = 64);

 private:
  void chain(const std::vector<GuestAddress>& descriptors, std::uint32_t flags) const;

  pci::BarModel& registers_;
  guest::Memory& memory_;
  std::uint64_t next_ = 0x1000;
  GuestAddress frame_list_;
  GuestAddress asynchronous_;
  GuestAddress interrupt_;
};

}  // namespace periplex::usb::uhci::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "guest/memory.hpp"
#include "pci/function.hpp"
#include "usb/batching/descriptor.hpp"
#include "usb/setup_packet.hpp"

namespace periplex::usb::ehci::testing {

using batching::Pid;
using guest::GuestAddress;

/// A small EHCI driver, as a guest would write it after the manual's chapters 3 and 4.
///
/// It shares no code with the controller and takes no short cut through it. Queues are appended to as common drivers
/// do: an inactive qTD stands at the end, is filled in, and becomes active last.
class Driver {
 public:
  // Offsets from the operational base, and bits, as printed
  static constexpr std::uint32_t kUsbcmd = 0x00;
  static constexpr std::uint32_t kUsbsts = 0x04;
  static constexpr std::uint32_t kUsbintr = 0x08;
  static constexpr std::uint32_t kFrindex = 0x0c;
  static constexpr std::uint32_t kPeriodiclistbase = 0x14;
  static constexpr std::uint32_t kAsynclistaddr = 0x18;
  static constexpr std::uint32_t kConfigflag = 0x40;
  static constexpr std::uint32_t kRun = 1u << 0;
  static constexpr std::uint32_t kHcreset = 1u << 1;
  static constexpr std::uint32_t kPeriodicEnable = 1u << 4;
  static constexpr std::uint32_t kAsyncEnable = 1u << 5;
  static constexpr std::uint32_t kDoorbell = 1u << 6;
  static constexpr std::uint32_t kUsbint = 1u << 0;
  static constexpr std::uint32_t kUsberrint = 1u << 1;
  static constexpr std::uint32_t kPortChange = 1u << 2;
  static constexpr std::uint32_t kRollover = 1u << 3;
  static constexpr std::uint32_t kSystemError = 1u << 4;
  static constexpr std::uint32_t kAsyncAdvance = 1u << 5;
  static constexpr std::uint32_t kHalted = 1u << 12;
  static constexpr std::uint32_t kActive = 0x80;
  static constexpr std::uint32_t kTerminate = 1;
  static constexpr unsigned kFrames = 1024;

  struct QueueSetup {
    unsigned address = 0;
    unsigned endpoint = 0;
    std::uint32_t packet_size = 512;
    std::uint32_t s_mask = 0;  ///< not zero: for the periodic schedule, linked nowhere yet
  };
  struct Queue {
    GuestAddress head;
  };
  /// One qTD to be.
  struct Item {
    Pid pid = Pid::out;
    GuestAddress buffer;
    std::uint32_t length = 0;
    bool interrupt = false;
    bool stops_when_short = false;  ///< the alternate pointer leads to a qTD that is never active
  };

  Driver(pci::BarModel& bar, guest::Memory& memory) : bar_(bar), memory_(memory) {}

  // --- the controller (§4.1)
  /// Resets it, gives it empty schedules, lets it run with both of them and all interrupts, and takes all ports.
  void start();
  [[nodiscard]] std::uint32_t capability(std::uint32_t offset) { return read32(offset); }
  [[nodiscard]] std::uint32_t reg(std::uint32_t offset) { return read32(kOperational + offset); }
  void write_reg(std::uint32_t offset, std::uint32_t value) { write32(kOperational + offset, value); }
  void command(std::uint32_t set, std::uint32_t clear = 0) { write_reg(kUsbcmd, (reg(kUsbcmd) & ~clear) | set); }
  [[nodiscard]] std::uint32_t status() { return reg(kUsbsts); }
  void acknowledge(std::uint32_t bits) { write_reg(kUsbsts, bits); }
  [[nodiscard]] std::uint32_t portsc(unsigned port) { return reg(0x40 + 4 * port); }
  void write_portsc(unsigned port, std::uint32_t value) { write_reg(0x40 + 4 * port, value); }
  /// Asserts and ends the reset of `port`, and clears its change bits.
  void reset_port(unsigned port);

  // --- memory
  /// Zeroed bytes. `alignment` is a power of two.
  [[nodiscard]] GuestAddress allocate(std::uint64_t size, std::uint64_t alignment = 64);
  [[nodiscard]] std::uint32_t word(GuestAddress at) const { return memory_.read<std::uint32_t>(at).value_or(0); }
  void set_word(GuestAddress at, std::uint32_t value) { (void)memory_.write(at, value); }

  // --- queues (§4.8, §4.10)
  /// A queue head with an empty queue; without S-mask it joins the asynchronous ring.
  Queue add_queue(const QueueSetup& setup);
  /// Takes it out of the ring and rings the doorbell.
  void unlink(const Queue& queue);
  /// Takes it out of the ring only.
  void take_out(const Queue& queue);
  void link(const Queue& queue);
  /// Lets `queue`, which is not linked, begin anew behind whatever is in it.
  void clear(const Queue& queue);
  /// Appends qTDs; returns where they are.
  std::vector<GuestAddress> append(const Queue& queue, const std::vector<Item>& items);
  /// A data set of `size` bytes in qTDs of `per_descriptor`, the last with an interrupt.
  std::vector<GuestAddress> append_data(const Queue& queue, Pid pid, GuestAddress buffer, std::uint32_t size,
                                        std::uint32_t per_descriptor = 16384);
  /// Setup, data and status stage. `buffer` has the Setup packet's eight bytes and then the data.
  std::vector<GuestAddress> control(const Queue& queue, const SetupPacket& setup, GuestAddress data = {});

  [[nodiscard]] std::uint32_t token(GuestAddress qtd) const { return word(qtd + 8); }
  [[nodiscard]] bool active(GuestAddress qtd) const { return (token(qtd) & kActive) != 0; }
  [[nodiscard]] std::uint32_t left(GuestAddress qtd) const { return token(qtd) >> 16 & 0x7fff; }
  [[nodiscard]] std::uint32_t overlay(const Queue& queue, unsigned dword) const {
    return word(queue.head + 16 + 4 * dword);
  }
  [[nodiscard]] std::uint32_t overlay_token(const Queue& queue) const { return overlay(queue, 2); }

  // --- the frame list (§3.1)
  [[nodiscard]] GuestAddress frame_entry(unsigned frame) const { return frame_list_ + 4 * (frame % kFrames); }
  /// Links a queue head into every `period`th frame.
  void schedule(const Queue& queue, unsigned period = 1);

 private:
  static constexpr std::uint32_t kOperational = 0x20;
  static constexpr std::uint32_t kTypeQueueHead = 2;

  [[nodiscard]] std::uint32_t read32(std::uint32_t offset);
  void write32(std::uint32_t offset, std::uint32_t value);
  /// Everything but the token.
  void fill(GuestAddress qtd, GuestAddress next, const Item& item);
  [[nodiscard]] GuestAddress new_idle();
  [[nodiscard]] GuestAddress end_of(const Queue& queue) const;

  pci::BarModel& bar_;
  guest::Memory& memory_;
  std::uint64_t next_ = 0x10000;
  GuestAddress async_head_;
  GuestAddress never_active_;
  GuestAddress frame_list_;
};

}  // namespace periplex::usb::ehci::testing

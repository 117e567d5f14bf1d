// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "usb/xhci/testing/event_consumer.hpp"
#include "usb/xhci/testing/producer_ring.hpp"
#include "usb/xhci/testing/stream_rings.hpp"
#include "usb/xhci/testing/trbs.hpp"

namespace periplex::usb::xhci::testing {

/// How a driver reaches the controller: the registers at an offset of its BAR.
class RegisterAccess {
 public:
  virtual ~RegisterAccess() = default;
  [[nodiscard]] virtual std::uint32_t read32(std::uint32_t offset) = 0;
  virtual void write32(std::uint32_t offset, std::uint32_t value) = 0;
  virtual void write64(std::uint32_t offset, std::uint64_t value) = 0;
  /// Called while the driver waits for the controller. Where both run on one thread it lets the controller's loop run.
  virtual void wait() {}
};

/// What a driver's endpoint configuration says (§6.2.3).
struct EndpointSetup {
  unsigned dci = 0;
  unsigned type = 0;  ///< EP Type, table 6-9: 1 and 5 isochronous, 2 and 6 bulk, 3 and 7 interrupt (out, in)
  unsigned max_packet_size = 512;
  unsigned interval = 0;
  unsigned ring_segments = 1;
  unsigned ring_trbs = 64;
  unsigned max_primary_streams = 0;  ///< not 0: 2^(n+1) stream contexts instead of the one ring
  bool linear_stream_array = true;
};

/// A small xHCI driver, as a guest would write it after the manual's chapter 4.
///
/// It is the tests' and the benchmark's guest: it shares no code with the controller except the numbers of chapter 6,
/// and takes no short cut through it. What is queued and polled on a running endpoint allocates nothing.
class Driver {
 public:
  struct Options {
    unsigned interrupters = 1;
    unsigned event_segments = 1;
    unsigned event_trbs = 256;  ///< per segment
    unsigned command_trbs = 64;
    std::uint32_t moderation = 0;  ///< IMODI
  };
  struct Completion {
    CompletionCode code = CompletionCode::invalid;  ///< `invalid`: no answer came
    unsigned slot = 0;
  };

  Driver(RegisterAccess& registers, GuestRam& ram) : Driver(registers, ram, Options()) {}
  Driver(RegisterAccess& registers, GuestRam& ram, const Options& options);

  // --- the controller (§4.2)
  /// HCRST, and waits until the controller is ready; false if it does not become so.
  bool reset();
  /// Tells the controller all its structures, which are made anew. It must be halted.
  void set_up();
  /// R/S and INTE. `reset`, `set_up` and `run` together bring a controller up.
  void run();
  /// R/S = 0, and waits for HCH.
  bool halt();
  bool start() {
    const bool ready = reset();
    set_up();
    run();
    return ready;
  }

  // --- registers
  [[nodiscard]] RegisterAccess& registers() { return registers_; }
  [[nodiscard]] std::uint32_t operational(std::uint32_t offset) const { return operational_ + offset; }
  [[nodiscard]] std::uint32_t interrupter(unsigned index, std::uint32_t offset) const {
    return runtime_ + 0x20 + index * 0x20 + offset;
  }
  [[nodiscard]] std::uint32_t doorbell_register(unsigned slot) const { return doorbells_ + slot * 4; }
  [[nodiscard]] std::uint32_t mfindex_register() const { return runtime_; }
  [[nodiscard]] std::uint32_t port_register(unsigned port) const { return operational_ + 0x400 + (port - 1) * 0x10; }
  [[nodiscard]] std::uint32_t usbsts() { return registers_.read32(operational(0x04)); }
  [[nodiscard]] std::uint32_t portsc(unsigned port) { return registers_.read32(port_register(port)); }
  void write_portsc(unsigned port, std::uint32_t value) { registers_.write32(port_register(port), value); }

  // --- events (§4.9.4)
  /// The next event, or nothing; the controller is not told yet.
  [[nodiscard]] std::optional<Trb> poll(unsigned interrupter = 0) {
    if (!kept_.empty() && interrupter == 0) return take_kept();
    return events_[interrupter].next();
  }
  /// Writes ERDP with EHB: everything polled so far is the driver's no more.
  void acknowledge(unsigned interrupter = 0);
  /// Lets the controller run, then polls and acknowledges all there is.
  [[nodiscard]] std::vector<Trb> drain(unsigned interrupter = 0);
  [[nodiscard]] EventConsumer& events(unsigned interrupter = 0) { return events_[interrupter]; }

  // --- commands (§4.6)
  /// Queues a command, rings and waits for its completion. Other events on the way are kept for `poll`.
  Completion execute(const Trb& command);
  /// Queues only; returns the command's address.
  GuestAddress queue_command(const Trb& command) { return command_ring_->push(command); }
  void ring_command_doorbell() { ring(0, 0); }
  [[nodiscard]] ProducerRing& command_ring() { return *command_ring_; }

  /// Enable Slot, and the output context and rings of the new slot.
  Completion enable_slot();
  Completion disable_slot(unsigned slot) { return execute(command(TrbType::disable_slot_command, slot)); }
  Completion address_device(unsigned slot, unsigned port, bool block_set_address = false,
                            unsigned max_packet_size = 64);
  /// Adds `endpoints`, with new rings, and drops those whose bits are set in `drop`.
  Completion configure(unsigned slot, std::span<const EndpointSetup> endpoints, std::uint32_t drop = 0);
  Completion configure(unsigned slot, const EndpointSetup& endpoint) {
    return configure(slot, std::span(&endpoint, 1));
  }
  Completion stop_endpoint(unsigned slot, unsigned dci) {
    return execute(command(TrbType::stop_endpoint_command, slot, dci));
  }
  Completion reset_endpoint(unsigned slot, unsigned dci, bool preserve = false) {
    return execute(command(TrbType::reset_endpoint_command, slot, dci, 0, preserve ? 1u << 9 : 0));
  }
  /// `position` is an address with the cycle state in bit 0.
  Completion set_dequeue(unsigned slot, unsigned dci, std::uint64_t position, unsigned stream = 0) {
    Trb trb = command(TrbType::set_tr_dequeue_pointer_command, slot, dci, position);
    trb.status = stream << 16;
    return execute(trb);
  }

  // --- contexts
  /// The input context of `slot`: 33 contexts of 32 bytes.
  [[nodiscard]] GuestAddress input_context(unsigned slot) const { return slots_.at(slot).input; }
  [[nodiscard]] GuestAddress output_context(unsigned slot) const { return slots_.at(slot).output; }
  void write_input_control(unsigned slot, std::uint32_t drop, std::uint32_t add) const;
  void write_input_slot(unsigned slot, unsigned port, unsigned entries) const;
  /// Gives the endpoint a new ring and describes it in the input context.
  void write_input_endpoint(unsigned slot, const EndpointSetup& endpoint);
  [[nodiscard]] unsigned slot_state(unsigned slot) const;
  [[nodiscard]] unsigned endpoint_state(unsigned slot, unsigned dci) const;
  /// The dequeue pointer of the output context, DCS in bit 0.
  [[nodiscard]] std::uint64_t output_dequeue(unsigned slot, unsigned dci) const;

  // --- transfers
  GuestAddress queue(unsigned slot, unsigned dci, std::span<const Trb> td) { return transfer_ring(slot, dci).push(td); }
  GuestAddress queue(unsigned slot, unsigned dci, const Trb& trb) { return transfer_ring(slot, dci).push(trb); }
  /// Setup, Data (where wLength is not zero) and Status Stage; returns where the Status Stage lies.
  GuestAddress queue_control(unsigned slot, const SetupPacket& setup, GuestAddress data = {});
  void ring(unsigned slot, unsigned dci, unsigned stream = 0) {
    registers_.write32(doorbell_register(slot), dci | stream << 16);
  }
  [[nodiscard]] ProducerRing& transfer_ring(unsigned slot, unsigned dci) const { return *slots_.at(slot).rings[dci]; }
  /// The streams of an endpoint that was configured with them.
  [[nodiscard]] StreamRings& streams(unsigned slot, unsigned dci) const { return *slots_.at(slot).streams[dci]; }

 private:
  static constexpr unsigned kContexts = 32;
  static constexpr unsigned kPatience = 1'000'000;  // polls before an answer counts as missing

  struct Slot {
    GuestAddress input;
    GuestAddress output;
    std::array<std::unique_ptr<ProducerRing>, kContexts> rings;
    std::array<std::unique_ptr<StreamRings>, kContexts> streams;
  };

  [[nodiscard]] std::optional<Trb> take_kept();
  [[nodiscard]] bool wait_for_status(std::uint32_t mask, std::uint32_t value);

  RegisterAccess& registers_;
  GuestRam& ram_;
  Options options_;
  std::uint32_t operational_;
  std::uint32_t runtime_;
  std::uint32_t doorbells_;
  std::uint32_t max_slots_;
  GuestAddress dcbaa_;
  std::vector<EventConsumer> events_;
  std::deque<Trb> kept_;  // of interrupter 0, met while waiting for a command
  std::unique_ptr<ProducerRing> command_ring_;
  std::map<unsigned, Slot> slots_;
};

}  // namespace periplex::usb::xhci::testing

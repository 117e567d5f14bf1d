// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/testing/driver.hpp"

namespace periplex::usb::xhci::testing {
namespace {

// Chapter 5, offsets and bits as printed
constexpr std::uint32_t kHcsparams1 = 0x04;
constexpr std::uint32_t kDboff = 0x14;
constexpr std::uint32_t kRtsoff = 0x18;
constexpr std::uint32_t kUsbcmd = 0x00;
constexpr std::uint32_t kCrcr = 0x18;
constexpr std::uint32_t kDcbaap = 0x30;
constexpr std::uint32_t kConfig = 0x38;
constexpr std::uint32_t kIman = 0x00;
constexpr std::uint32_t kImod = 0x04;
constexpr std::uint32_t kErstsz = 0x08;
constexpr std::uint32_t kErstba = 0x10;
constexpr std::uint32_t kErdp = 0x18;
constexpr std::uint32_t kRunStop = 1u << 0;
constexpr std::uint32_t kHcrst = 1u << 1;
constexpr std::uint32_t kInte = 1u << 2;
constexpr std::uint32_t kHalted = 1u << 0;
constexpr std::uint32_t kNotReady = 1u << 11;
constexpr std::uint64_t kEhb = 1u << 3;
constexpr std::uint64_t kContextSize = 32;
constexpr unsigned kControlDci = 1;
constexpr unsigned kControlType = 4;

}  // namespace

Driver::Driver(RegisterAccess& registers, GuestRam& ram, const Options& options)
    : registers_(registers),
      ram_(ram),
      options_(options),
      operational_(registers.read32(0) & 0xff),
      runtime_(registers.read32(kRtsoff) & ~0x1fu),
      doorbells_(registers.read32(kDboff) & ~0x3u),
      max_slots_(registers.read32(kHcsparams1) & 0xff) {}

bool Driver::wait_for_status(std::uint32_t mask, std::uint32_t value) {
  for (unsigned i = 0; i < kPatience; ++i) {
    if ((usbsts() & mask) == value) return true;
    registers_.wait();
  }
  return false;
}

bool Driver::reset() {
  registers_.write32(operational(kUsbcmd), kHcrst);
  return wait_for_status(kNotReady | kHalted, kHalted);
}

void Driver::set_up() {
  slots_.clear();
  kept_.clear();
  events_.clear();
  dcbaa_ = ram_.allocate((max_slots_ + 1) * std::uint64_t{8});
  command_ring_ = std::make_unique<ProducerRing>(ram_, 1, options_.command_trbs);
  registers_.write32(operational(kConfig), max_slots_);
  registers_.write64(operational(kDcbaap), dcbaa_.value);
  registers_.write64(operational(kCrcr), command_ring_->position());
  for (unsigned i = 0; i < options_.interrupters; ++i) {
    // In the manual's order (§4.2): the segment table's address comes last and starts the ring.
    const EventConsumer& events = events_.emplace_back(ram_, options_.event_segments, options_.event_trbs);
    registers_.write32(interrupter(i, kErstsz), events.segments());
    registers_.write64(interrupter(i, kErdp), events.dequeue().value);
    registers_.write64(interrupter(i, kErstba), events.table().value);
    registers_.write32(interrupter(i, kImod), options_.moderation);
    registers_.write32(interrupter(i, kIman), 2);  // IE
  }
}

void Driver::run() {
  registers_.write32(operational(kUsbcmd), kRunStop | kInte);
}

bool Driver::halt() {
  registers_.write32(operational(kUsbcmd), kInte);
  return wait_for_status(kHalted, kHalted);
}

std::optional<Trb> Driver::take_kept() {
  const Trb event = kept_.front();
  kept_.pop_front();
  return event;
}

void Driver::acknowledge(unsigned index) {
  registers_.write64(interrupter(index, kErdp), events_[index].dequeue().value | kEhb);
}

std::vector<Trb> Driver::drain(unsigned index) {
  registers_.wait();
  std::vector<Trb> all;
  while (const auto event = poll(index)) all.push_back(*event);
  acknowledge(index);
  return all;
}

Driver::Completion Driver::execute(const Trb& command) {
  const GuestAddress at = queue_command(command);
  ring_command_doorbell();
  for (unsigned i = 0; i < kPatience; ++i) {
    const auto event = events_[0].next();
    if (!event) {
      // An answer that does not come because the ring is full is the driver's own doing: it makes room first.
      if (i % 16 == 0) acknowledge();
      if (i > 64 && (usbsts() & kHalted) != 0) break;
      registers_.wait();
      continue;
    }
    if (event->type() == TrbType::command_completion_event && event->parameter == at.value) {
      acknowledge();
      return {code_of(*event), slot_of(*event)};
    }
    kept_.push_back(*event);
  }
  return {};
}

Driver::Completion Driver::enable_slot() {
  const Completion completion = execute(command(TrbType::enable_slot_command));
  if (completion.code != CompletionCode::success) return completion;
  Slot slot;
  slot.input = ram_.allocate((kContexts + 1) * kContextSize);
  slot.output = ram_.allocate(kContexts * kContextSize);
  ram_.write(dcbaa_ + completion.slot * std::uint64_t{8}, slot.output.value);
  slots_[completion.slot] = std::move(slot);
  return completion;
}

void Driver::write_input_control(unsigned slot, std::uint32_t drop, std::uint32_t add) const {
  ram_.write(input_context(slot), std::array{drop, add});
}

void Driver::write_input_slot(unsigned slot, unsigned port, unsigned entries) const {
  ram_.write(input_context(slot) + kContextSize, std::array{entries << 27, port << 16, 0u, 0u});
}

void Driver::write_input_endpoint(unsigned slot, const EndpointSetup& endpoint) {
  Slot& owner = slots_.at(slot);
  std::uint64_t dequeue = 0;
  std::uint32_t streams = 0;
  if (endpoint.max_primary_streams == 0) {
    auto& ring = owner.rings[endpoint.dci];
    ring = std::make_unique<ProducerRing>(ram_, endpoint.ring_segments, endpoint.ring_trbs);
    dequeue = ring->position();
  } else {
    auto& rings = owner.streams[endpoint.dci];
    rings = std::make_unique<StreamRings>(ram_, endpoint.max_primary_streams, endpoint.ring_trbs);
    dequeue = rings->array().value;
    streams = endpoint.max_primary_streams << 10 | (endpoint.linear_stream_array ? 1u << 15 : 0);
  }
  const std::array words{endpoint.interval << 16 | streams,
                         endpoint.max_packet_size << 16 | endpoint.type << 3 | 3u << 1,  // CErr 3
                         static_cast<std::uint32_t>(dequeue), static_cast<std::uint32_t>(dequeue >> 32),
                         endpoint.max_packet_size};
  ram_.write(input_context(slot) + (endpoint.dci + 1) * kContextSize, words);
}

Driver::Completion Driver::address_device(unsigned slot, unsigned port, bool block_set_address,
                                          unsigned max_packet_size) {
  write_input_control(slot, 0, 3);
  write_input_slot(slot, port, 1);
  write_input_endpoint(slot, {.dci = kControlDci, .type = kControlType, .max_packet_size = max_packet_size});
  return execute(
      command(TrbType::address_device_command, slot, 0, input_context(slot).value, block_set_address ? 1u << 9 : 0));
}

Driver::Completion Driver::configure(unsigned slot, std::span<const EndpointSetup> endpoints, std::uint32_t drop) {
  std::uint32_t add = 1;
  for (const EndpointSetup& endpoint : endpoints) {
    add |= 1u << endpoint.dci;
    write_input_endpoint(slot, endpoint);
  }
  write_input_control(slot, drop, add);
  return execute(command(TrbType::configure_endpoint_command, slot, 0, input_context(slot).value));
}

unsigned Driver::slot_state(unsigned slot) const {
  return ram_.read<std::uint32_t>(output_context(slot) + 12) >> 27;
}

unsigned Driver::endpoint_state(unsigned slot, unsigned dci) const {
  return ram_.read<std::uint32_t>(output_context(slot) + dci * kContextSize) & 7;
}

std::uint64_t Driver::output_dequeue(unsigned slot, unsigned dci) const {
  return ram_.read<std::uint64_t>(output_context(slot) + dci * kContextSize + 8);
}

GuestAddress Driver::queue_control(unsigned slot, const SetupPacket& setup, GuestAddress data) {
  const bool in = setup.length != 0 && setup.direction() == Direction::in;
  queue(slot, kControlDci, setup_stage(setup));
  if (setup.length != 0) queue(slot, kControlDci, data_stage(data, setup.length, setup.direction()));
  return queue(slot, kControlDci, status_stage(in ? Direction::out : Direction::in));
}

}  // namespace periplex::usb::xhci::testing

// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/testing/driver.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::usb::ehci::testing {
namespace {

constexpr std::uint32_t kHeadOfReclamationList = 1u << 15;
constexpr std::uint32_t kToggleFromDescriptor = 1u << 14;
constexpr std::uint32_t kHighSpeed = 2u << 12;
constexpr std::uint32_t kHaltedStatus = 0x40;
constexpr std::uint32_t kPortEnabled = 1u << 2;
constexpr std::uint32_t kPortReset = 1u << 8;
constexpr std::uint32_t kPortChanges = 0x2a;
constexpr std::uint32_t kErrors = 3;  // CERR
constexpr unsigned kLongestQueue = 256;

std::uint32_t low(GuestAddress address) {
  return static_cast<std::uint32_t>(address.value);
}

std::uint32_t token_of(const Driver::Item& item) {
  return item.length << 16 | (item.interrupt ? 1u << 15 : 0) | kErrors << 10 |
         static_cast<std::uint32_t>(item.pid) << 8 | Driver::kActive;
}

}  // namespace

std::uint32_t Driver::read32(std::uint32_t offset) {
  std::uint32_t value = 0;
  bar_.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value));
  return value;
}

void Driver::write32(std::uint32_t offset, std::uint32_t value) {
  bar_.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
}

void Driver::start() {
  command(kHcreset);
  never_active_ = new_idle();
  frame_list_ = allocate(4 * kFrames, 4096);
  for (unsigned frame = 0; frame < kFrames; ++frame) set_word(frame_entry(frame), kTerminate);
  async_head_ = allocate(48);
  set_word(async_head_, low(async_head_) | kTypeQueueHead);
  set_word(async_head_ + 4, kHeadOfReclamationList | kHighSpeed);
  set_word(async_head_ + 16, kTerminate);
  set_word(async_head_ + 20, kTerminate);
  set_word(async_head_ + 24, kHaltedStatus);
  write_reg(kPeriodiclistbase, low(frame_list_));
  write_reg(kAsynclistaddr, low(async_head_));
  write_reg(kUsbintr, 0x3f & ~kRollover);
  command(kRun | kAsyncEnable | kPeriodicEnable);
  write_reg(kConfigflag, 1);
}

void Driver::reset_port(unsigned port) {
  write_portsc(port, (portsc(port) & ~(kPortChanges | kPortEnabled)) | kPortReset);
  write_portsc(port, portsc(port) & ~(kPortChanges | kPortReset));
  write_portsc(port, portsc(port));  // its change bits, as read
}

GuestAddress Driver::allocate(std::uint64_t size, std::uint64_t alignment) {
  const std::uint64_t at = (next_ + alignment - 1) & ~(alignment - 1);
  next_ = at + size;
  PERIPLEX_CHECK(memory_.write(GuestAddress(at), Bytes(size)).has_value());
  return GuestAddress(at);
}

GuestAddress Driver::new_idle() {
  const GuestAddress qtd = allocate(32);
  set_word(qtd, kTerminate);
  set_word(qtd + 4, kTerminate);
  set_word(qtd + 8, kHaltedStatus);
  return qtd;
}

Driver::Queue Driver::add_queue(const QueueSetup& setup) {
  const Queue queue{allocate(48)};
  const bool control = setup.endpoint == 0;
  set_word(queue.head, kTerminate);
  set_word(queue.head + 4, setup.address | setup.endpoint << 8 | kHighSpeed | (control ? kToggleFromDescriptor : 0) |
                               setup.packet_size << 16);
  set_word(queue.head + 8, 1u << 30 | setup.s_mask);
  clear(queue);
  if (setup.s_mask == 0) link(queue);
  return queue;
}

void Driver::clear(const Queue& queue) {
  set_word(queue.head + 16, low(new_idle()));
  set_word(queue.head + 20, kTerminate);
  set_word(queue.head + 24, 0);
}

void Driver::link(const Queue& queue) {
  set_word(queue.head, word(async_head_));
  set_word(async_head_, low(queue.head) | kTypeQueueHead);
}

void Driver::take_out(const Queue& queue) {
  GuestAddress before = async_head_;
  while ((word(before) & ~0x1fu) != low(queue.head)) before = GuestAddress(word(before) & ~0x1fu);
  set_word(before, word(queue.head));
}

void Driver::unlink(const Queue& queue) {
  take_out(queue);
  command(kDoorbell);
}

/// The inactive qTD at the end of the queue.
GuestAddress Driver::end_of(const Queue& queue) const {
  std::uint32_t at = word(queue.head + 16) & ~0x1fu;
  for (unsigned i = 0; i < kLongestQueue; ++i) {
    const std::uint32_t next = word(GuestAddress(at));
    if ((next & kTerminate) != 0) break;
    at = next & ~0x1fu;
  }
  return GuestAddress(at);
}

void Driver::fill(GuestAddress qtd, GuestAddress next, const Item& item) {
  set_word(qtd, low(next));
  set_word(qtd + 4, item.stops_when_short ? low(never_active_) : kTerminate);
  for (std::uint32_t page = 0; page < 5; ++page) {
    const std::uint32_t address = low(item.buffer) + page * 4096;
    set_word(qtd + 12 + 4 * page, page == 0 ? address : address & ~0xfffu);
  }
}

std::vector<GuestAddress> Driver::append(const Queue& queue, const std::vector<Item>& items) {
  std::vector<GuestAddress> qtds{end_of(queue)};
  for (std::size_t i = 0; i < items.size(); ++i) qtds.push_back(new_idle());
  for (std::size_t i = items.size(); i-- > 0;) {  // the first becomes active last
    fill(qtds[i], qtds[i + 1], items[i]);
    set_word(qtds[i] + 8, token_of(items[i]));
  }
  qtds.pop_back();
  return qtds;
}

std::vector<GuestAddress> Driver::append_data(const Queue& queue, Pid pid, GuestAddress buffer, std::uint32_t size,
                                              std::uint32_t per_descriptor) {
  std::vector<Item> items;
  for (std::uint32_t at = 0; at < size; at += per_descriptor) {
    items.push_back({.pid = pid,
                     .buffer = buffer + at,
                     .length = std::min(per_descriptor, size - at),
                     .interrupt = at + per_descriptor >= size,
                     .stops_when_short = pid == Pid::in && at + per_descriptor < size});
  }
  return append(queue, items);
}

std::vector<GuestAddress> Driver::control(const Queue& queue, const SetupPacket& setup, GuestAddress data) {
  const GuestAddress bytes = allocate(SetupPacket::kSize);
  (void)memory_.write(bytes, setup.encode());
  std::vector<Item> items{{.pid = Pid::setup, .buffer = bytes, .length = SetupPacket::kSize}};
  const bool in = setup.direction() == Direction::in && setup.length != 0;
  if (setup.length != 0) {
    items.push_back({.pid = in ? Pid::in : Pid::out, .buffer = data, .length = setup.length});
  }
  items.push_back({.pid = in ? Pid::out : Pid::in, .interrupt = true});
  return append(queue, items);
}

void Driver::schedule(const Queue& queue, unsigned period) {
  set_word(queue.head, word(frame_entry(0)));
  for (unsigned frame = 0; frame < kFrames; frame += period) {
    set_word(frame_entry(frame), low(queue.head) | kTypeQueueHead);
  }
}

}  // namespace periplex::usb::ehci::testing

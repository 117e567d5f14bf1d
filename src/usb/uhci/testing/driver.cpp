// SPDX-License-Identifier: Apache-2.0
#include "usb/uhci/testing/driver.hpp"

#include <algorithm>

namespace periplex::usb::uhci::testing {

std::uint16_t Driver::in16(std::uint32_t offset) const {
  std::uint16_t value = 0;
  registers_.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value));
  return value;
}

void Driver::out16(std::uint32_t offset, std::uint16_t value) const {
  registers_.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
}

void Driver::out32(std::uint32_t offset, std::uint32_t value) const {
  registers_.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
}

void Driver::start() {
  out16(0x00, 0x0002);  // HCRESET
  frame_list_ = allocate(std::uint64_t{kFrames} * 4, 4096);
  interrupt_ = allocate(16);
  asynchronous_ = allocate(16);
  const auto link = [](GuestAddress queue) { return static_cast<std::uint32_t>(queue.value) | kToQueueHead; };
  write32(asynchronous_, kTerminate);
  write32(interrupt_, link(asynchronous_));
  for (const GuestAddress queue : {interrupt_, asynchronous_}) set_element(queue, kTerminate);
  for (unsigned frame = 0; frame < kFrames; ++frame) {
    write32(frame_entry(frame), link(frame % 8 == 0 ? interrupt_ : asynchronous_));
  }
  out32(0x08, static_cast<std::uint32_t>(frame_list_.value));
  out16(0x06, 0);
  out16(0x04, 0x000f);
  run();
}

void Driver::enable_port(unsigned port) const {
  write_portsc(port, 0x0200);
  write_portsc(port, 0x0000);
  write_portsc(port, 0x000e);  // PE, and clears both changes
}

GuestAddress Driver::allocate(std::uint64_t size, std::uint64_t alignment) {
  const std::uint64_t at = (next_ + alignment - 1) & ~(alignment - 1);
  next_ = at + size;
  return GuestAddress(at);
}

std::uint32_t Driver::read32(GuestAddress address) const {
  return memory_.read<std::uint32_t>(address).value_or(0xffff'ffff);
}

void Driver::write32(GuestAddress address, std::uint32_t value) const {
  (void)memory_.store_release(address, value);
}

Bytes Driver::get(GuestAddress address, std::size_t size) const {
  Bytes bytes(size);
  (void)memory_.read(address, bytes);
  return bytes;
}

GuestAddress Driver::add_queue(GuestAddress before) {
  const GuestAddress queue = allocate(16);
  write32(queue, read32(before));
  set_element(queue, kTerminate);
  write32(before, static_cast<std::uint32_t>(queue.value) | kToQueueHead);
  return queue;
}

void Driver::unlink_queue(GuestAddress before) const {
  const GuestAddress queue(read32(before) & ~0xfu);
  write32(before, read32(queue));
}

GuestAddress Driver::make(const Packet& packet, std::uint32_t link) {
  const GuestAddress descriptor = allocate(32);
  rewrite(descriptor, packet, link);
  return descriptor;
}

void Driver::rewrite(GuestAddress descriptor, const Packet& packet, std::uint32_t link) const {
  const auto flag = [](bool value, unsigned at) { return std::uint32_t{value} << at; };
  write32(descriptor, link);
  write32(descriptor + 8, packet.pid | packet.device << 8 | packet.endpoint << 15 | flag(packet.toggle, 19) |
                              (packet.length - 1) << 21);
  write32(descriptor + 12, static_cast<std::uint32_t>(packet.buffer.value));
  write32(descriptor + 4, flag(packet.active, 23) | flag(packet.interrupt_on_complete, 24) |
                              flag(packet.isochronous, 25) | 3u << 27 | flag(packet.short_packet_detect, 29) | 0x7ffu);
}

void Driver::chain(const std::vector<GuestAddress>& descriptors, std::uint32_t flags) const {
  for (std::size_t i = 0; i + 1 < descriptors.size(); ++i) {
    write32(descriptors[i], static_cast<std::uint32_t>(descriptors[i + 1].value) | flags);
  }
}

std::vector<GuestAddress> Driver::make_data_set(const Packet& whole, std::uint32_t packet_size, bool breadth_first) {
  std::vector<GuestAddress> made;
  for (std::uint32_t offset = 0; offset < whole.length; offset += packet_size) {
    Packet packet = whole;
    const bool last = offset + packet_size >= whole.length;
    packet.buffer = whole.buffer + offset;
    packet.length = std::min(packet_size, whole.length - offset);
    packet.interrupt_on_complete = last;
    packet.short_packet_detect = whole.pid == kPidIn && !last;
    packet.toggle = made.size() % 2 != 0;
    made.push_back(make(packet));
  }
  chain(made, breadth_first ? 0 : kDepthFirst);
  return made;
}

std::vector<GuestAddress> Driver::queue_data_set(GuestAddress queue, const Packet& whole, std::uint32_t packet_size) {
  std::vector<GuestAddress> made = make_data_set(whole, packet_size);
  set_element(queue, static_cast<std::uint32_t>(made.front().value));
  return made;
}

std::vector<GuestAddress> Driver::queue_control(GuestAddress queue, unsigned device, const SetupPacket& setup,
                                                GuestAddress data, std::uint32_t packet_size) {
  const GuestAddress request = allocate(8, 8);
  const std::uint64_t raw = setup.encode();
  put(request, ByteView(reinterpret_cast<const std::byte*>(&raw), sizeof raw));
  const bool in = setup.direction() == Direction::in;
  std::vector<GuestAddress> made{make({.pid = kPidSetup, .device = device, .buffer = request, .length = 8})};
  for (std::uint32_t offset = 0; offset < setup.length; offset += packet_size) {
    made.push_back(make({.pid = in ? kPidIn : kPidOut,
                         .device = device,
                         .buffer = data + offset,
                         .length = std::min<std::uint32_t>(packet_size, setup.length - offset),
                         .short_packet_detect = in}));
  }
  const bool status_in = !in || setup.length == 0;
  made.push_back(make({.pid = status_in ? kPidIn : kPidOut, .device = device, .interrupt_on_complete = true}));
  chain(made, kDepthFirst);
  set_element(queue, static_cast<std::uint32_t>(made.front().value));
  return made;
}

}  // namespace periplex::usb::uhci::testing

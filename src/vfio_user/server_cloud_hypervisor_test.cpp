// SPDX-License-Identifier: Apache-2.0
// What Cloud Hypervisor (its crate vfio_user 0.1.5) does and QEMU does not. It reads each reply as a fixed number of
// bytes, looks at neither id, flags nor error, and blocks for ever on a reply that is shorter.
#include <gtest/gtest.h>

#include "vfio_user/shared_ram.hpp"
#include "vfio_user/testing/served_function.hpp"

namespace periplex::vfio_user {
namespace {

using testing::events;
using testing::make_event;
using testing::ScratchFunction;

constexpr std::string_view kCapabilities =
    R"({"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}})";
constexpr std::uint64_t kRamSize = 4 << 20;

class CloudHypervisorTest : public testing::ServedFunction {
 protected:
  CloudHypervisorTest() : socket(connect_socket()), sender(UniqueFd(::dup(socket.get()))) {}

  void send(Command command, ByteView payload, std::span<const int> fds = {}) {
    ByteWriter out;
    const Header header{
        .id = id, .command = command, .size = static_cast<std::uint32_t>(Header::kSize + payload.size())};
    out.bytes(header.packed()).bytes(payload);
    sender.out() = out.take();
    ASSERT_EQ(sender.flush(fds), MessageSocket::Flushed::all);
  }
  /// Exactly `size` bytes, as a blocking read_exact would take them; the test fails where that would hang.
  Bytes receive(std::size_t size) {
    Bytes bytes(size);
    std::size_t got = 0;
    for (unsigned turns = 0; got < size && turns < 100; ++turns) {
      turn();
      const ssize_t count = ::recv(socket.get(), bytes.data() + got, size - got, MSG_DONTWAIT);
      if (count > 0) got += static_cast<std::size_t>(count);
    }
    EXPECT_EQ(got, size) << "Cloud Hypervisor would hang";
    return bytes;
  }
  Bytes exchange(Command command, ByteView payload, std::size_t reply_size, std::span<const int> fds = {}) {
    ++id;
    send(command, payload, fds);
    return receive(reply_size);
  }

  void negotiate() {
    const Bytes json = propose({.major = 0, .minor = 1}, kCapabilities);
    ++id;
    send(Command::version, json);
    const Bytes header = receive(Header::kSize);
    const std::size_t size = Header::parse(header).size;
    ASSERT_GT(size, Header::kSize + Version::kSize);
    const auto proposal = parse_proposal(receive(size - Header::kSize));
    ASSERT_TRUE(proposal);
    EXPECT_EQ(proposal->capabilities.max_msg_fds, 16u);
  }
  template <typename T>
  T read(std::uint32_t region, std::uint64_t offset) {
    const RegionAccess access{.offset = offset, .region = region, .count = sizeof(T)};
    const Bytes reply = exchange(Command::region_read, access.packed(), 32 + sizeof(T));
    T value{};
    std::memcpy(&value, reply.data() + 32, sizeof value);
    return value;
  }
  template <typename T>
  void write(std::uint32_t region, std::uint64_t offset, T value) {
    ByteWriter out;
    out.bytes(RegionAccess{.offset = offset, .region = region, .count = sizeof(T)}.packed()).bytes(pack(value));
    exchange(Command::region_write, out.view(), 32);
  }
  void set_irqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start, std::uint32_t count,
                std::span<const int> fds = {}) {
    const IrqSet set{.flags = flags, .index = index, .start = start, .count = count};
    exchange(Command::device_set_irqs, set.packed(), Header::kSize, fds);
  }
  void unmask() { set_irqs(IrqSet::kDataNone | IrqSet::kActionUnmask, kIrqIntx, 0, 1); }

  UniqueFd socket;
  MessageSocket sender;
  std::uint16_t id = 0;
};

TEST_F(CloudHypervisorTest, AsksForEverythingBeforeItSharesMemory) {
  negotiate();
  const Bytes info = exchange(Command::device_get_info, DeviceInfo{.argsz = 32}.packed(), 32);
  const auto device = DeviceInfo::parse(ByteView(info).subspan(16));
  ASSERT_EQ(device->num_regions, 9u);
  for (std::uint32_t index = 0; index < device->num_regions; ++index) {
    ++id;
    for (unsigned twice = 0; twice < 2; ++twice) {
      send(Command::device_get_region_info, RegionInfo{.index = index}.packed());
      const Bytes reply = receive(48);
      // "argsz - 32 == message size - 48" is asserted by the client.
      EXPECT_EQ(RegionInfo::parse(ByteView(reply).subspan(16))->argsz - 32, Header::parse(reply).size - 48);
    }
  }
  for (const std::uint32_t index : {kIrqIntx, kIrqMsi, kIrqMsix}) {
    const Bytes reply = exchange(Command::device_get_irq_info, IrqInfo{.index = index}.packed(), 32);
    EXPECT_EQ(IrqInfo::parse(ByteView(reply).subspan(16))->index, index);
  }
  const SharedRam ram(kRamSize);
  const int fds[] = {ram.fd()};
  exchange(Command::dma_map, DmaMap{.flags = 3, .address = 0, .size = kRamSize}.packed(), 16, fds);
  EXPECT_EQ(server.memory().mapped_bytes(), kRamSize);
  exchange(Command::dma_unmap, DmaUnmap{.address = 0, .size = kRamSize}.packed(), 40);
  EXPECT_EQ(server.memory().mapped_bytes(), 0u);
}

TEST_F(CloudHypervisorTest, ResetsBeforeItSharesMemory) {
  negotiate();
  exchange(Command::device_reset, {}, 16);
  EXPECT_EQ(function.resets, 1u);
}

TEST_F(CloudHypervisorTest, SizesBarsThroughConfigurationSpace) {
  negotiate();
  write<std::uint32_t>(kRegionConfig, 0x10, ~0u);
  write<std::uint32_t>(kRegionConfig, 0x14, ~0u);
  EXPECT_EQ(read<std::uint32_t>(kRegionConfig, 0x10), 0xffff'c004u);
  EXPECT_EQ(read<std::uint32_t>(kRegionConfig, 0x14), 0xffff'ffffu);
  for (const std::uint64_t absent : {0x18, 0x1c, 0x24}) {
    write<std::uint32_t>(kRegionConfig, absent, ~0u);
    EXPECT_EQ(read<std::uint32_t>(kRegionConfig, absent), 0u);
  }
  write<std::uint32_t>(kRegionConfig, 0x20, ~0u);
  EXPECT_EQ(read<std::uint32_t>(kRegionConfig, 0x20), 0xffff'ffe1u);
  write<std::uint32_t>(kRegionConfig, 0x30, 0xffff'f800u);
  EXPECT_EQ(read<std::uint32_t>(kRegionConfig, 0x30), 0u) << "no expansion ROM";
}

TEST_F(CloudHypervisorTest, UnmasksThePinAfterEveryAccess) {
  negotiate();
  const UniqueFd event = make_event();
  const int fds[] = {event.get()};
  set_irqs(IrqSet::kDataEventfd | IrqSet::kActionTrigger, kIrqIntx, 0, 1, fds);
  write<std::uint32_t>(0, ScratchFunction::kPin, 1);
  EXPECT_EQ(events(event), 1u);
  for (unsigned i = 0; i < 5; ++i) {
    unmask();
    EXPECT_EQ(events(event), 1u) << "the level is still high";
    (void)read<std::uint32_t>(0, 0);
  }
  write<std::uint32_t>(0, ScratchFunction::kPin, 0);
  unmask();
  EXPECT_EQ(events(event), 0u);
}

TEST_F(CloudHypervisorTest, ArmsAllVectorsInBatchesOfSixteen) {
  negotiate();
  std::vector<UniqueFd> vectors;
  std::vector<int> fds;
  vectors.reserve(ScratchFunction::kVectors);
  fds.reserve(ScratchFunction::kVectors);
  for (unsigned i = 0; i < ScratchFunction::kVectors; ++i) fds.push_back(vectors.emplace_back(make_event()).get());
  for (std::uint32_t start = 0; start < fds.size(); start += 16) {
    const auto count = std::min<std::uint32_t>(16, static_cast<std::uint32_t>(fds.size()) - start);
    set_irqs(IrqSet::kDataEventfd | IrqSet::kActionTrigger, kIrqMsix, start, count,
             std::span(fds).subspan(start, count));
  }
  for (std::uint8_t i = 0; i < ScratchFunction::kVectors; ++i) {
    write<std::uint8_t>(0, ScratchFunction::kMessage, i);
    EXPECT_EQ(events(vectors[i]), 1u) << int{i};
  }
  set_irqs(IrqSet::kDataNone | IrqSet::kActionTrigger, kIrqMsix, 0, 0);
  write<std::uint8_t>(0, ScratchFunction::kMessage, 0);
  EXPECT_EQ(events(vectors[0]), 0u);
}

TEST_F(CloudHypervisorTest, AnAccessToNothingDoesNotHangIt) {
  negotiate();
  EXPECT_EQ(read<std::uint32_t>(2, 0), ~0u);
  EXPECT_EQ(read<std::uint32_t>(6, 0), ~0u);
  EXPECT_EQ(read<std::uint64_t>(0, ScratchFunction::kBarSize), ~std::uint64_t{0});
  write<std::uint32_t>(2, 0, 1);
  exchange(Command::dma_unmap, DmaUnmap{.address = 0x1234000, .size = 4096}.packed(), 40);
}

}  // namespace
}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>

#include "base/testing/virtual_time.hpp"
#include "storage/initiator.hpp"
#include "storage/testing/meddling_device.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::storage::testing {

[[nodiscard]] inline Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes result;
  for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}
[[nodiscard]] inline Bytes cdb10(unsigned opcode, unsigned lba, unsigned blocks) {
  return bytes({opcode, 0, lba >> 24, (lba >> 16) & 255, (lba >> 8) & 255, lba & 255, 0, blocks >> 8, blocks & 255, 0});
}
[[nodiscard]] inline Bytes pattern(std::size_t size, unsigned seed = 1) {
  Bytes result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = static_cast<std::byte>((i / 512 * 7 + i + seed) & 0xff);
  return result;
}

/// A real disk – one of ours, over a medium in memory – and the initiator that drives it.
class AgentBench {
 public:
  explicit AgentBench(bool uas = false, usb::Speed speed = usb::Speed::super, std::size_t blocks = 4096,
                      bool removable = true) {
    auto fake = std::make_unique<usb::device::testing::FakeBlock>(blocks);
    medium = fake.get();
    medium->content = pattern(medium->content.size());
    const usb::device::StorageOptions options = {
        .vendor = "Maker",
        .product = "Stick",
        .revision = "1.23",
        .serial = "0123456789ABCDEF",
        .removable = removable,
        .transport = uas ? usb::device::StorageTransport::uas : usb::device::StorageTransport::bulk_only};
    disk = std::make_unique<usb::device::Storage>(options, speed, std::move(fake), time);
    device = std::make_unique<MeddlingDevice>(*disk, time);
    initiator = std::make_unique<Initiator>(*device, time);
  }
  ~AgentBench() {
    initiator.reset();
    time.run_until_idle();
    device.reset();
    disk.reset();
  }

  std::expected<DiskIdentity, InitiatorError> open() {
    std::optional<std::expected<DiskIdentity, InitiatorError>> opened;
    initiator->open([&opened](auto result) { opened = std::move(result); });
    for (int i = 0; i < 1000 && !opened; ++i) time.advance(std::chrono::milliseconds(100));
    return opened.value_or(std::unexpected(InitiatorError::no_answer));
  }

  /// Starts a command; the result is there once it has ended.
  std::shared_ptr<std::optional<Result>> start(Command command, CommandId* id = nullptr) {
    auto result = std::make_shared<std::optional<Result>>();
    const CommandId started =
        initiator->start(std::move(command), [result](Result ended) { *result = std::move(ended); });
    if (id != nullptr) *id = started;
    return result;
  }
  Result run(Command command, Nanoseconds patience = std::chrono::seconds(200)) {
    const auto result = start(std::move(command));
    for (Nanoseconds waited{}; !*result && waited < patience; waited += std::chrono::seconds(1)) {
      time.advance(std::chrono::seconds(1));
    }
    return result->value_or(Result{.outcome = Outcome::lost});
  }
  Result read(unsigned lba, unsigned blocks) { return run(read_command(lba, blocks)); }
  Result write(unsigned lba, const Bytes& data) {
    return run({.cdb = cdb10(0x2a, lba, static_cast<unsigned>(data.size() / 512)),
                .data = {DataDirection::from_host, data.size()},
                .data_out = data});
  }
  static Command read_command(unsigned lba, unsigned blocks) {
    return {.cdb = cdb10(0x28, lba, blocks), .data = {DataDirection::to_host, blocks * 512u}};
  }
  [[nodiscard]] Bytes content(unsigned lba, unsigned blocks) const {
    const auto begin = medium->content.begin() + lba * 512;
    return {begin, begin + blocks * 512};
  }

  periplex::testing::VirtualTime time;
  usb::device::testing::FakeBlock* medium = nullptr;
  std::unique_ptr<usb::device::Storage> disk;
  std::unique_ptr<MeddlingDevice> device;
  std::unique_ptr<Initiator> initiator;
};

}  // namespace periplex::storage::testing

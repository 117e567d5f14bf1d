// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"
#include "usb/batching/pipe.hpp"
#include "usb/batching/testing/list_queue.hpp"
#include "usb/testing/fake_device.hpp"

namespace periplex::usb::batching::testing {

/// Guest memory, a device that answers when the test says, and what pipes ask of their controller.
class PipeRig final : public Surroundings {
 public:
  static constexpr std::uint64_t kRamSize = std::uint64_t{4} << 20;
  static constexpr guest::GuestAddress kBuffer{0x10'0000};

  [[nodiscard]] guest::Memory& memory() override { return *memory_; }
  [[nodiscard]] InFlight& in_flight() override { return in_flight_; }
  [[nodiscard]] const Verification& verification() const override { return verify; }
  void answered() override { ++answers; }
  void memory_fault(guest::Fault) override { ++faults; }
  void configured(Device&, const SetupPacket& setup) override { configurations.push_back(setup); }

  /// Bytes that differ from place to place.
  [[nodiscard]] static Bytes pattern(std::size_t size, unsigned seed = 1) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251 + seed);
    return bytes;
  }
  void put(guest::GuestAddress address, ByteView bytes) { (void)memory_->write(address, bytes); }
  [[nodiscard]] Bytes get(guest::GuestAddress address, std::size_t size) const {
    Bytes bytes(size);
    (void)memory_->read(address, bytes);
    return bytes;
  }
  /// The device fills its oldest transfer with `bytes` and ends it.
  void answer(ByteView bytes, Status status = Status::ok) {
    device.at(0).data.write(0, bytes);
    device.complete(status, static_cast<std::uint32_t>(bytes.size()));
  }

  Verification verify;
  unsigned answers = 0;
  unsigned faults = 0;
  std::vector<SetupPacket> configurations;
  periplex::testing::VirtualTime time;
  usb::testing::FakeDevice device{time, Speed::full};

 private:
  InFlight in_flight_;
  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(kRamSize);
};

}  // namespace periplex::usb::batching::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/testing/virtual_time.hpp"
#include "host/usb/device.hpp"
#include "host/usb/testing/fake_handle.hpp"

namespace periplex::host::testing {

constexpr std::uint8_t kBulkIn = 0x81;
constexpr std::uint8_t kBulkOut = 0x02;
constexpr std::uint8_t kInterruptIn = 0x83;
constexpr std::uint8_t kIsochronousIn = 0x84;

/// A SuperSpeed device with two interfaces. 0: bulk in and out, both with 16 streams in setting 1. 1: nothing in
/// setting 0, interrupt and isochronous in setting 1. Configuration 2 has interface 0 alone, without endpoints.
inline UsbDescription bench_description() {
  const auto endpoint = [](std::uint8_t address, usb::TransferType type, std::uint8_t streams = 0) {
    return usb::ParsedEndpoint{.descriptor = {.address = usb::EndpointAddress(address),
                                              .attributes = static_cast<std::uint8_t>(type),
                                              .max_packet_size = 1024},
                               .companion = usb::SuperSpeedCompanion{.attributes = streams}};
  };
  const auto bulk = usb::TransferType::bulk;
  usb::ParsedConfiguration first{.descriptor = {.value = 1}, .interfaces = {}};
  first.interfaces.push_back({{.number = 0}, {endpoint(kBulkIn, bulk), endpoint(kBulkOut, bulk)}, {}});
  first.interfaces.push_back(
      {{.number = 0, .alternate_setting = 1}, {endpoint(kBulkIn, bulk, 4), endpoint(kBulkOut, bulk, 4)}, {}});
  first.interfaces.push_back({{.number = 1}, {}, {}});
  first.interfaces.push_back(
      {{.number = 1, .alternate_setting = 1},
       {endpoint(kInterruptIn, usb::TransferType::interrupt), endpoint(kIsochronousIn, usb::TransferType::isochronous)},
       {}});
  usb::ParsedConfiguration second{.descriptor = {.value = 2}, .interfaces = {}};
  second.interfaces.push_back({{.number = 0}, {}, {}});
  return {.port = "2-1",
          .speed = usb::Speed::super,
          .descriptors = {.device = {}, .configurations = {first, second}},
          .active_configuration = 1};
}

/// A device on a fake handle, and what came back from it.
class DeviceBench final : private usb::TransferOwner {
 public:
  struct Result {
    usb::TransferId id;
    usb::Status status;
    Bytes data;  // guest-bound: what came; device-bound: empty
    std::uint32_t actual;
    std::vector<usb::IsochronousPacket> packets;
  };

  explicit DeviceBench(std::size_t memory_limit = 0) : memory(memory_limit) {
    auto connection = std::make_shared<UsbConnection>(std::make_unique<FakeHandle>(handle), calls, time);
    device = std::make_unique<UsbDevice>(bench_description(), connection, std::make_shared<InterfaceClaims>(1), memory,
                                         time);
    // As a guest does.
    control(0x00, 9, 1, 0);
    settle();
    results.clear();
    handle.calls.clear();
  }
  DeviceBench(const DeviceBench&) = delete;
  DeviceBench& operator=(const DeviceBench&) = delete;
  ~DeviceBench() {
    device.reset();
    settle();
    while (!handle.submitted.empty()) handle.end(LIBUSB_TRANSFER_CANCELLED);
    settle();
  }

  usb::TransferId control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                          std::uint16_t length = 0) {
    const auto direction = (type & 0x80) != 0 ? usb::Direction::in : usb::Direction::out;
    auto transfer = make(usb::EndpointAddress(0), direction, usb::TransferData::room(length));
    transfer->setup =
        usb::SetupPacket{.request_type = type, .request = request, .value = value, .index = index, .length = length};
    return submit(std::move(transfer));
  }
  usb::TransferId data(std::uint8_t endpoint, std::size_t size, std::uint16_t stream = 0) {
    const usb::EndpointAddress address(endpoint);
    auto transfer = make(address, address.direction(), usb::TransferData::room(size));
    transfer->stream = stream;
    return submit(std::move(transfer));
  }
  usb::TransferPtr make(usb::EndpointAddress address, usb::Direction direction, usb::TransferData bytes) {
    usb::TransferOwner& owner = *this;
    return std::make_unique<usb::Transfer>(owner, usb::TransferId(++last_id_), address, direction, std::move(bytes));
  }
  usb::TransferId submit(usb::TransferPtr transfer) {
    const usb::TransferId id = transfer->id();
    device->submit(std::move(transfer));
    return id;
  }

  /// Makes all calls and runs all that is deferred.
  void settle() {
    do {
      calls.make_all();
      time.run_until_idle();
    } while (!calls.idle());
  }
  [[nodiscard]] std::vector<Result> take_results() {
    time.run_until_idle();
    return std::exchange(results, {});
  }
  [[nodiscard]] std::optional<Result> take_one() {
    auto all = take_results();
    return all.size() == 1 ? std::optional(all.front()) : std::nullopt;
  }
  /// Sizes of what is under way.
  [[nodiscard]] std::vector<int> under_way() const {
    std::vector<int> sizes;
    for (const libusb_transfer* transfer : handle.submitted) sizes.push_back(transfer->length);
    return sizes;
  }

  periplex::testing::VirtualTime time;
  FakeCalls calls;
  FakeHandle::State handle;
  UsbfsMemory memory;
  std::unique_ptr<UsbDevice> device;
  std::vector<Result> results;

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const bool in = transfer->direction() == usb::Direction::in && transfer->packets.empty();
    results.push_back({transfer->id(), completion.status, in ? transfer->data.copy(completion.actual) : Bytes{},
                       completion.actual, transfer->packets});
  }

  std::uint64_t last_id_ = 0;
};

}  // namespace periplex::host::testing

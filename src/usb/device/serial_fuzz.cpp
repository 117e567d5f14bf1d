// SPDX-License-Identifier: Apache-2.0
// The serial port against any transfers, requests, cancellations and resets, and a line that stalls where it likes:
// each transfer completes once, no byte is lost, none comes twice, and all stay in order.
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/check.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/device/serial.hpp"
#include "usb/device/testing/fake_line.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;
using periplex::usb::device::Serial;
using periplex::usb::device::testing::FakeLine;

/// The guest: knows what it has sent and what it has got. Bytes are numbered, so that each shows where it belongs.
class Guest final : public TransferOwner {
 public:
  void submit(Device& device, EndpointAddress endpoint, std::size_t size, std::optional<SetupPacket> setup = {}) {
    const TransferId id(next_++);
    const Direction direction = setup ? setup->direction() : endpoint.direction();
    Bytes bytes(size);
    if (endpoint == Serial::kBulkOut) {
      for (std::byte& byte : bytes) byte = std::byte(queued_++ & 0xff);
    }
    auto transfer = std::make_unique<Transfer>(*this, id, endpoint, direction, TransferData::owned(std::move(bytes)));
    transfer->setup = setup;
    open_.emplace(id, size);
    inside_submit_ = true;
    device.submit(std::move(transfer));
    inside_submit_ = false;
  }

  void on_complete(TransferPtr transfer, Completion completion) override {
    PERIPLEX_CHECK(!inside_submit_);
    PERIPLEX_CHECK(open_.erase(transfer->id()) == 1);
    PERIPLEX_CHECK(completion.actual <= transfer->data.size());
    const Bytes bytes = transfer->data.copy(completion.actual);
    if (transfer->endpoint() == Serial::kBulkIn) {
      for (const std::byte byte : bytes) PERIPLEX_CHECK(byte == std::byte(received++ & 0xff));
    }
    if (transfer->endpoint() == Serial::kBulkOut) {
      PERIPLEX_CHECK(completion.actual % packet == 0 || completion.actual == transfer->data.size());
      accepted += as_text(bytes);
    }
  }

  [[nodiscard]] std::size_t open() const { return open_.size(); }

  std::size_t packet = 64;
  std::uint64_t received = 0;
  std::string accepted;  ///< what the port says it has taken

 private:
  std::map<TransferId, std::size_t> open_;
  std::uint64_t next_ = 1;
  std::uint64_t queued_ = 0;
  bool inside_submit_ = false;
};

struct Bench {
  explicit Bench(Speed speed) {
    auto made = std::make_unique<FakeLine>();
    line = made.get();
    port = std::make_unique<Serial>("fuzzed", speed, std::move(made), time);
    guest.packet = speed == Speed::full ? 64 : speed == Speed::high ? 512 : 1024;
    configure();
  }
  void configure() { guest.submit(*port, EndpointAddress(), 0, SetupPacket{.request = 9, .value = 1}); }
  void arrive(std::size_t size) {
    std::string text;
    for (; size > 0; --size) text += static_cast<char>(arrived++ & 0xff);
    line->arrive(text);
  }

  periplex::testing::VirtualTime time;
  Guest guest;
  FakeLine* line = nullptr;
  std::unique_ptr<Serial> port;
  std::uint64_t arrived = 0;
};

void step(Bench& bench, ByteReader& input) {
  const std::uint8_t what = input.u8();
  const std::size_t size = input.u8() * std::size_t{what & 0x10 ? 1u : 13u};
  switch (what & 15) {
    case 0:
    case 1:
      bench.guest.submit(*bench.port, Serial::kBulkIn, size);
      break;
    case 2:
    case 3:
      bench.guest.submit(*bench.port, Serial::kBulkOut, size);
      break;
    case 4:
      bench.arrive(size);
      break;
    case 5:
      bench.line->make_room(size);
      break;
    case 6:
      bench.port->cancel(TransferId(input.u8()));
      break;
    case 7: {
      const SetupPacket setup = SetupPacket::parse(input.le64());
      bench.guest.submit(*bench.port, EndpointAddress(), std::min<std::size_t>(setup.length, 300), setup);
      break;
    }
    case 8:
      bench.guest.submit(*bench.port, Serial::kNotification, size);
      break;
    case 9:
      bench.line->set_connected(!bench.line->connected());
      break;
    case 10:
      bench.port->reset();
      break;
    case 11:
      bench.configure();
      break;
    case 12:
      bench.port->suspend();
      break;
    case 13:
      bench.port->resume();
      break;
    case 14:
      bench.time.advance(std::chrono::milliseconds(size));
      break;
    default:
      bench.port->set_wake_up([&bench] { bench.port->resume(); });
      break;
  }
  if ((what & 0x80) != 0) bench.time.run_until_idle();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  constexpr Speed kSpeeds[] = {Speed::full, Speed::high, Speed::super};
  Bench bench(kSpeeds[input.u8() % std::size(kSpeeds)]);
  while (input.ok() && input.remaining() > 0) step(bench, input);
  bench.port->reset();
  bench.time.run_until_idle();
  PERIPLEX_CHECK(bench.guest.open() == 0);
  // A port that is configured anew sends the rest of what it took, and nothing else.
  bench.configure();
  bench.line->make_room(1 << 20);
  PERIPLEX_CHECK(bench.line->sent == bench.guest.accepted);
  PERIPLEX_CHECK(bench.guest.received <= bench.arrived);
  bench.port->set_wake_up({});
  bench.port.reset();
  PERIPLEX_CHECK(bench.guest.open() == 0);
  return 0;
}

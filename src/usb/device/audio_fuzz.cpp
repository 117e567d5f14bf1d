// SPDX-License-Identifier: Apache-2.0
// Sound devices of both classes against any class requests, alternate settings, packets, cancels and resets: every
// transfer comes back exactly once, never from inside submit, and no frame is invented or counted twice.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>

#include "base/check.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/device/sound.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;

/// Counts what was submitted and what came back.
class Ledger final : public TransferOwner {
 public:
  void on_complete(TransferPtr transfer, Completion completion) override {
    PERIPLEX_CHECK(!inside_submit);
    PERIPLEX_CHECK(open.erase(transfer->id()) == 1);
    PERIPLEX_CHECK(completion.actual <= transfer->data.size());
    if (transfer->packets.empty() || completion.status != Status::ok) return;
    std::uint64_t sum = 0;
    for (const IsochronousPacket& packet : transfer->packets) {
      PERIPLEX_CHECK(packet.actual <= packet.length);
      sum += packet.actual;
    }
    PERIPLEX_CHECK(sum == completion.actual);
  }
  void submit(Device& device, EndpointAddress endpoint, Direction direction, TransferData data,
              std::optional<SetupPacket> setup, std::vector<IsochronousPacket> packets = {}) {
    const TransferId id(next++);
    auto transfer = std::make_unique<Transfer>(*this, id, endpoint, direction, std::move(data));
    transfer->setup = setup;
    transfer->packets = std::move(packets);
    open.insert(id);
    inside_submit = true;
    device.submit(std::move(transfer));
    inside_submit = false;
  }

  std::set<TransferId> open;
  std::uint64_t next = 1;
  bool inside_submit = false;
};

/// Takes less and less, also no whole frames.
class ShyFile final : public device::PcmSink, public device::PcmSource {
 public:
  void begin(std::uint32_t rate) override { PERIPLEX_CHECK(rate > 0); }
  [[nodiscard]] std::size_t write(ByteView frames) override {
    PERIPLEX_CHECK(frames.size() % device::kPcmFrameBytes == 0);
    return frames.size() - std::min(frames.size(), calls_++ % 7);
  }
  [[nodiscard]] std::size_t read(MutableByteView room) override {
    PERIPLEX_CHECK(room.size() % device::kPcmFrameBytes == 0);
    return room.size() - std::min(room.size(), calls_++ % 7);
  }
  void end() override {}

 private:
  std::size_t calls_ = 0;
};

/// One transfer of up to 15 packets of any sizes, some of which may claim more than there is.
void isochronous(ByteReader& input, std::uint8_t what, Ledger& ledger, Device& device) {
  const EndpointAddress endpoint((what & 0x10) != 0 ? 0x81 : 0x01);
  std::vector<IsochronousPacket> packets;
  std::uint32_t total = 0;
  for (unsigned i = 0; i < (what >> 4); ++i) {
    const std::uint32_t length = input.u8() * 3u;
    packets.push_back({.offset = total, .length = length});
    total += length;
  }
  if ((what & 0x80) != 0) total /= 2;
  ledger.submit(device, endpoint, endpoint.direction(), TransferData::room(total), {}, std::move(packets));
}

void step(ByteReader& input, device::Sound& device, Ledger& ledger, testing::VirtualTime& time) {
  const std::uint8_t what = input.u8();
  switch (what & 7) {
    case 0:
    case 1: {
      SetupPacket setup = SetupPacket::parse(input.le64());
      if ((what & 8) != 0) setup.request_type = (what & 16) != 0 ? 0xa1 : 0x21;
      ledger.submit(device, EndpointAddress(), setup.direction(), TransferData::room(setup.length), setup);
      break;
    }
    case 2: {
      const SetupPacket setup{.request_type = 0x01,
                              .request = 11,
                              .value = static_cast<std::uint16_t>(what >> 4 & 1),
                              .index = static_cast<std::uint16_t>(what >> 5)};
      ledger.submit(device, EndpointAddress(), Direction::out, {}, setup);
      break;
    }
    case 3:
    case 4:
      isochronous(input, what, ledger, device);
      break;
    case 5:
      device.cancel(TransferId(input.u8()));
      break;
    case 6:
      if ((what & 0xf0) == 0) device.reset();
      ledger.submit(device, EndpointAddress(), Direction::out, {}, SetupPacket{.request = 9, .value = 1});
      break;
    default:
      time.run_until_idle();
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::VirtualTime time;
  Ledger ledger;
  ByteReader input(std::as_bytes(std::span(data, size)));
  const std::uint8_t choice = input.u8();
  const bool capture = (choice & 1) != 0;
  const bool playback = !capture || (choice & 2) != 0;
  {
    const device::SoundOptions options{.rates = {48000, 44100, 8000}, .packet_interval = Microseconds(choice * 4)};
    device::Sound sound(options, static_cast<Speed>(1 + (choice >> 2) % 3),
                        playback ? std::make_unique<ShyFile>() : nullptr,
                        capture ? std::make_unique<ShyFile>() : nullptr, time);
    while (input.ok() && input.remaining() > 0) step(input, sound, ledger, time);
    sound.reset();
    time.run_until_idle();
    PERIPLEX_CHECK(ledger.open.empty());
    (void)sound.state();
  }
  time.run_until_idle();
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The disk on its four pipes against any sequence of IUs, transfers, cancellations and resets, with streams and
// without: each transfer completes once, and after a reset the disk answers as if nothing had been.
#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;
using namespace periplex::usb::device;
using periplex::usb::device::testing::FakeBlock;
using periplex::usb::device::testing::UasHost;

constexpr std::size_t kBlocks = 300;

void insert(UasHost& host, std::uint8_t how) {
  auto fake = std::make_unique<FakeBlock>(kBlocks);
  fake->slow = (how & 1) != 0;
  fake->protect = (how & 2) != 0;
  fake->discards = (how & 4) != 0;
  if ((how & 8) != 0) fake->failure = BlockFailure{static_cast<BlockError>(how >> 6), std::uint64_t{how} * 512};
  host.medium = fake.get();
  host.device->insert(std::move(fake));
}

Bytes take(ByteReader& input, std::size_t most) {
  const ByteView bytes = input.take(std::min(input.remaining(), most));
  return Bytes(bytes.begin(), bytes.end());
}

/// Few tags, so that they meet: 0 to 36, of which 1 to 32 have streams.
std::uint16_t tag_of(std::uint8_t byte) {
  return byte % 37;
}

void send_iu(UasHost& host, std::uint8_t what, std::uint8_t more, ByteReader& input) {
  if (what == 0) {
    const auto attribute = static_cast<UasTaskAttribute>(more >> 6);
    const std::uint64_t lun = input.u8() < 0xf0 ? 0 : 1;
    host.command(UasHost::command_iu(tag_of(more), take(input, 10), attribute, lun));
  } else if (what == 1) {
    const auto function = static_cast<UasFunction>(1u << (input.u8() % 8));
    host.command(UasHost::management_iu(tag_of(more), function, tag_of(input.u8()), input.u8() < 0xf0 ? 0 : 1));
  } else {
    host.command(take(input, more));
  }
}

void use_pipes(UasHost& host, std::uint8_t what, std::uint8_t more, ByteReader& input) {
  const std::uint16_t tag = tag_of(more);
  switch (what) {
    case 3:
      host.status(tag);
      break;
    case 4:
      host.status(tag, more >> 4);
      break;
    case 5:
      host.data_in(tag, std::size_t{input.u8()} * 64);
      break;
    case 6:
      host.data_out(tag, Bytes(std::size_t{input.u8()} * 64));
      break;
    default:
      host.data_out(tag, take(input, more));
      break;
  }
}

void disturb(UasHost& host, std::uint8_t what, std::uint8_t more) {
  constexpr std::array<std::uint8_t, 4> kEndpoints = {0x81, 0x02, 0x83, 0x04};
  switch (what) {
    case 8:
      host.device->cancel(TransferId(more));
      break;
    case 9:
      (void)host.control(0x02, (more & 4) != 0 ? 0x03 : 0x01, 0, kEndpoints[more & 3], 0);
      break;
    case 10:
      (void)host.choose(more & 1);
      break;
    case 11:
      host.device->reset();
      if ((more & 1) != 0) host.configure();
      break;
    case 12:
      if (host.device->eject(static_cast<Storage::Force>(more & 1))) host.medium = nullptr;
      break;
    case 13:
      insert(host, more);
      break;
    default:
      for (unsigned i = 0; i <= more % 4u && host.medium != nullptr; ++i) (void)host.medium->complete_next();
      break;
  }
}

void step(UasHost& host, ByteReader& input) {
  const std::uint8_t what = input.u8();
  const std::uint8_t more = input.u8();
  const std::uint8_t choice = what % 16;
  if (choice < 3) {
    send_iu(host, choice, more, input);
  } else if (choice < 8) {
    use_pipes(host, choice, more, input);
  } else {
    disturb(host, choice, more);
  }
  if ((what & 0x80) != 0) host.time.run_until_idle();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  UasHost host((input.u8() & 1) != 0 ? Speed::high : Speed::super, UasHost::default_options(), kBlocks);
  insert(host, input.u8());
  while (input.ok() && input.remaining() > 0) step(host, input);
  host.device->reset();
  insert(host, 0);
  host.configure();
  (void)host.run(1, Bytes(6));  // the medium has changed
  PERIPLEX_CHECK(host.run(1, Bytes(6)) == UasHost::good(1));
  host.device.reset();
  PERIPLEX_CHECK(host.unanswered() == 0);
  PERIPLEX_CHECK(host.completions == host.submitted());
  return 0;
}

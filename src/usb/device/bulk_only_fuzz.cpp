// SPDX-License-Identifier: Apache-2.0
// The disk on its bulk pipes against any sequence of transfers, cancellations and resets: each transfer completes once.
#include <cstdint>

#include "base/check.hpp"
#include "usb/device/testing/bulk_only_host.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;
using namespace periplex::usb::device;
using periplex::usb::device::testing::BulkOnlyHost;
using periplex::usb::device::testing::FakeBlock;

constexpr std::size_t kBlocks = 300;

void insert(BulkOnlyHost& host, std::uint8_t how) {
  auto fake = std::make_unique<FakeBlock>(kBlocks);
  fake->slow = (how & 1) != 0;
  fake->protect = (how & 2) != 0;
  fake->discards = (how & 4) != 0;
  if ((how & 8) != 0) fake->failure = BlockFailure{static_cast<BlockError>(how >> 6), std::uint64_t{how} * 512};
  host.medium = fake.get();
  host.device->insert(std::move(fake));
}

void step(BulkOnlyHost& host, ByteReader& input) {
  const std::uint8_t what = input.u8();
  const std::uint8_t more = input.u8();
  switch (what % 16) {
    case 0:
      host.in(std::size_t{more} * 61);
      break;
    case 1:
      host.in(CommandStatusWrapper::kSize);
      break;
    case 2:
    case 3:
    case 4: {
      const ByteView cdb = input.take(std::min<std::size_t>(input.remaining(), 1 + more % 16));
      host.out(BulkOnlyHost::cbw(Bytes(cdb.begin(), cdb.end()), input.le16(), what % 16 == 2, more >> 7));
      break;
    }
    case 5: {
      const ByteView raw = input.take(std::min<std::size_t>(input.remaining(), more));
      host.out(Bytes(raw.begin(), raw.end()));
      break;
    }
    case 6:
      host.out(Bytes(std::size_t{more} * 61));
      break;
    case 7:
      host.device->cancel(TransferId(more));
      break;
    case 8:
      (void)host.clear_halt(more & 1 ? 0x81 : 0x02);
      break;
    case 9:
      (void)host.reset_recovery();
      break;
    case 10:
      host.device->reset();
      break;
    case 11:
      (void)host.control(0x00, 0x09, more & 1, 0, 0);
      break;
    case 12:
      if (host.device->eject(static_cast<Storage::Force>(more & 1))) host.medium = nullptr;
      break;
    case 13:
      insert(host, more);
      break;
    default:
      if (host.medium != nullptr) (void)host.medium->complete_next();
      break;
  }
  if ((what & 0x80) != 0) host.time.run_until_idle();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  BulkOnlyHost host({.serial = "0123456789ABCDEF"}, kBlocks);
  insert(host, input.u8());
  while (input.ok() && input.remaining() > 0) step(host, input);
  host.device.reset();
  PERIPLEX_CHECK(host.unanswered() == 0);
  PERIPLEX_CHECK(host.completions == host.submitted());
  return 0;
}

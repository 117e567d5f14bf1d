// SPDX-License-Identifier: Apache-2.0
// A disk behind its write protection against any sequence of transfers and resets: nothing is ever written, and each
// transfer completes once.
#include <cstdint>

#include "base/check.hpp"
#include "usb/device/testing/fronted_disk_host.hpp"
#include "usb/device/write_protected_disk.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;
using namespace periplex::usb::device;
using periplex::usb::device::testing::FrontedDiskHost;

constexpr std::size_t kBlocks = 64;

void step(FrontedDiskHost& host, ByteReader& input) {
  const std::uint8_t what = input.u8();
  const std::uint8_t more = input.u8();
  switch (what % 8) {
    case 0:
      host.in(std::size_t{more} * 61);
      break;
    case 1:
      host.in(CommandStatusWrapper::kSize);
      break;
    case 2:
    case 3: {
      const ByteView cdb = input.take(std::min<std::size_t>(input.remaining(), 1 + more % 16));
      host.out(FrontedDiskHost::cbw(Bytes(cdb.begin(), cdb.end()), input.le16(), what % 8 == 2));
      break;
    }
    case 4: {
      const ByteView raw = input.take(std::min<std::size_t>(input.remaining(), more));
      host.out(Bytes(raw.begin(), raw.end()));
      break;
    }
    case 5:
      host.out(Bytes(std::size_t{more} * 61));
      break;
    case 6:
      host.device->reset();
      host.configure();
      break;
    default:
      (void)host.control(more, input.u8(), input.le16(), 0, input.u8());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  const bool uas = (input.u8() & 1) != 0;
  FrontedDiskHost host(
      [](std::unique_ptr<Device> disk, Scheduler& scheduler) {
        return std::make_unique<WriteProtectedDisk>(std::move(disk), scheduler);
      },
      uas ? StorageTransport::uas : StorageTransport::bulk_only, kBlocks);
  const Bytes before = host.medium->content;
  host.configure();
  while (input.ok() && input.remaining() > 0) step(host, input);
  host.time.run_until_idle();
  PERIPLEX_CHECK(host.medium->content == before);
  host.device.reset();
  PERIPLEX_CHECK(host.completions == host.submitted());
  return 0;
}

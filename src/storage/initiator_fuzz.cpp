// SPDX-License-Identifier: Apache-2.0
// The initiator against a device that answers anything, at any time, by either transport: each command ends once, and a
// device that behaves from then on is usable, or has been given up.
#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/check.hpp"
#include "storage/testing/agent_bench.hpp"

namespace {

using namespace periplex;
using namespace periplex::storage;
using periplex::storage::testing::AgentBench;
using Fate = periplex::storage::testing::MeddlingDevice::Fate;

/// The hostile device is our own disk with its answers changed, so that the fuzzer gets far into a conversation.
class Hostility {
 public:
  explicit Hostility(ByteReader input) : input_(input) {}

  Fate fate() {
    const std::uint8_t what = input_.u8();
    if (!input_.ok()) return Fate::pass;
    if (what % 16 == 1) return Fate::swallow;
    return what % 16 == 2 ? Fate::fail : Fate::pass;
  }
  void change(usb::Transfer& transfer, usb::Completion& completion) {
    const std::uint8_t what = input_.u8();
    if (!input_.ok()) return;
    switch (what % 16) {
      case 0:
        completion.actual = std::min<std::uint32_t>(completion.actual, input_.u8());
        break;
      case 1:
        completion.status = static_cast<usb::Status>(input_.u8() % 5);
        break;
      case 2:
      case 3: {
        const std::size_t at = input_.u8() % 40;
        (void)transfer.data.write(at, input_.take(std::min<std::size_t>(input_.remaining(), 1 + what / 64)));
        break;
      }
      case 4: {
        const ByteView all = input_.take(std::min<std::size_t>(input_.remaining(), what));
        completion.actual = static_cast<std::uint32_t>(transfer.data.write(0, all));
        break;
      }
      case 5:
        completion.actual = static_cast<std::uint32_t>(transfer.data.size());
        break;
      default:
        break;
    }
  }
  [[nodiscard]] bool more() const { return input_.ok() && input_.remaining() > 0; }
  std::uint8_t next() { return input_.u8(); }

 private:
  ByteReader input_;
};

Command some_command(std::uint8_t how) {
  switch (how % 5) {
    case 0:
      return AgentBench::read_command(how, 1 + how % 4);
    case 1:
      return {.ordered = true,
              .cdb = periplex::storage::testing::cdb10(0x2a, how, 1),
              .data = {DataDirection::from_host, 512},
              .data_out = Bytes(512)};
    case 2:
      return {.cdb = periplex::storage::testing::bytes({0x12, 0, 0, 0, 36, 0}), .data = {DataDirection::to_host, 36}};
    case 3:
      return AgentBench::read_command(100000, 1);
    default:
      return {.cdb = Bytes(6)};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  const std::uint8_t how = input.u8();
  std::uint64_t started = 0;
  std::uint64_t ended = 0;
  Hostility hostility(input);
  AgentBench bench((how & 1) != 0, (how & 2) != 0 ? usb::Speed::high : usb::Speed::super, 300);
  const auto meddle = [&] {
    bench.device->on_submit = [&](usb::Transfer&) { return hostility.fate(); };
    bench.device->on_answer = [&](usb::Transfer& transfer, usb::Completion& completion) {
      hostility.change(transfer, completion);
    };
  };
  if ((how & 4) != 0) meddle();  // from its descriptors on
  if (!bench.open()) return 0;
  meddle();
  const auto done = [&ended](Result) { ++ended; };
  while (hostility.more()) {
    const std::uint8_t what = hostility.next();
    if (what % 8 == 0) bench.initiator->abort(CommandId(hostility.next()), (what & 0x80) != 0);
    if (what % 8 == 1) ++started, bench.initiator->reset_unit(0, done);
    if (what % 8 == 2) bench.time.advance(std::chrono::seconds(what));
    if (what % 8 > 2) ++started, bench.initiator->start(some_command(what), done);
    bench.time.run_until_idle();
  }
  bench.device->on_submit = nullptr;
  bench.device->on_answer = nullptr;
  bench.time.advance(std::chrono::seconds(1000));
  PERIPLEX_CHECK(started == ended);
  return 0;
}

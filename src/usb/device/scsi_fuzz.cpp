// SPDX-License-Identifier: Apache-2.0
// The SCSI disk against any CDB with any data, on media that are slow, fail, and come and go.
#include <cstdint>

#include "base/check.hpp"
#include "usb/device/testing/scsi_host.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb::device;

constexpr std::size_t kBlocks = 300;

class Fuzzer final : public ScsiCommand::Listener {
 public:
  explicit Fuzzer(ByteReader input) : input_(input) { insert(); }

  void run() {
    while (input_.ok() && input_.remaining() > 0) {
      const std::uint8_t what = input_.u8();
      switch (what % 8) {
        case 0:
          medium_ = nullptr, (void)disk_.remove();
          break;
        case 1:
          insert();
          break;
        case 2:
          disk_.power_on();
          break;
        case 3:
          disk_.hold_sense(sense::lba_out_of_range(what));
          break;
        default:
          command(what);
          break;
      }
    }
  }
  void on_step_done(ScsiCommand&) override { ++steps_done_; }

 private:
  void insert() {
    auto fake = std::make_unique<periplex::usb::device::testing::FakeBlock>(kBlocks);
    const std::uint8_t how = input_.u8();
    fake->slow = (how & 1) != 0;
    fake->protect = (how & 2) != 0;
    fake->discards = (how & 4) != 0;
    if ((how & 8) != 0) fake->failure = BlockFailure{static_cast<BlockError>(how >> 6), std::uint64_t{how} * 512};
    medium_ = fake.get();
    disk_.insert(std::move(fake));
  }

  void command(std::uint8_t what) {
    task_.start((what & 0x80) != 0 ? 1 : 0, input_.take(std::min<std::size_t>(input_.remaining(), 16)));
    const DataStage stage = task_.data_stage();
    PERIPLEX_CHECK((stage.direction == DataDirection::none) == (stage.length == 0));
    PERIPLEX_CHECK(stage.length <= kMaxTransferLength);
    std::uint64_t moved = 0;
    while (stage.length > 0 && input_.ok() && input_.remaining() > 0) {
      Bytes data(std::size_t{input_.u8()} * 37);
      const ByteView content = input_.take(std::min(input_.remaining(), data.size() / 16));
      std::ranges::copy(content, data.begin());
      MutableByteView view = data;
      const bool done = settle(task_.move({&view, 1}));
      PERIPLEX_CHECK(task_.moved() <= data.size());
      moved += task_.moved();
      if (!done) continue;  // interrupted
      if (task_.moved() < data.size()) break;
    }
    PERIPLEX_CHECK(moved <= stage.length);
    if (settle(task_.finish())) (void)task_.status();
    task_.abort();
  }

  /// Whether the step has come to its end; it may be interrupted or aborted instead.
  bool settle(Progress progress) {
    const unsigned before = steps_done_;
    PERIPLEX_CHECK((progress == Progress::pending) == task_.pending());
    while (task_.pending()) {
      const std::uint8_t what = input_.u8();
      if (what % 16 == 1) {
        task_.interrupt();
        return false;
      }
      if (what % 16 == 2) {
        (void)disk_.remove();
        medium_ = nullptr;
      } else {
        PERIPLEX_CHECK(medium_->complete_next());
      }
    }
    PERIPLEX_CHECK(steps_done_ == before + (progress == Progress::pending ? 1 : 0));
    return true;
  }

  ByteReader input_;
  ScsiDisk disk_{{.identity = {.serial = "0123456789ABCDEF"}}, nullptr};
  periplex::usb::device::testing::FakeBlock* medium_ = nullptr;
  ScsiTask task_{disk_, *this};
  unsigned steps_done_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Fuzzer(ByteReader(std::as_bytes(std::span(data, size)))).run();
  return 0;
}

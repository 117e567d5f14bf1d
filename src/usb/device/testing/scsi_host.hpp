// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>

#include "usb/device/scsi_disk.hpp"
#include "usb/device/scsi_task.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::usb::device::testing {

[[nodiscard]] inline Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes result;
  for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

/// How a command ended, as a transport would see it.
struct ScsiOutcome {
  Bytes data;  ///< what came from the disk
  std::optional<Sense> sense;
  [[nodiscard]] bool good() const { return !sense; }
};

/// A transport without any bus: runs commands on a disk with a fake medium.
class ScsiHost final : public ScsiCommand::Listener {
 public:
  explicit ScsiHost(ScsiDiskOptions options = {}, std::size_t blocks = 1024, std::uint32_t block_size = 512)
      : medium(new FakeBlock(blocks, block_size)),
        disk(std::make_unique<ScsiDisk>(std::move(options), std::unique_ptr<BlockBackend>(medium))) {
    (void)run(bytes({0x00}));  // takes the power-on attention
  }

  /// Runs `cdb`; `out` is the data for it, `room` how much it may give. Waits for a slow medium.
  ScsiOutcome run(const Bytes& cdb, Bytes out = {}, std::size_t room = 1u << 16, std::uint8_t lun = 0) {
    ScsiOutcome outcome;
    task.start(lun, cdb);
    stage = task.data_stage();
    if (stage.direction == DataDirection::to_host) outcome.data.resize(room);
    MutableByteView data = stage.direction == DataDirection::to_host ? outcome.data : out;
    if (stage.direction != DataDirection::none) {
      settle(task.move({&data, 1}));
      outcome.data.resize(stage.direction == DataDirection::to_host ? task.moved() : 0);
    }
    settle(task.finish());
    outcome.sense = task.sense();
    task.abort();
    return outcome;
  }
  void on_step_done(ScsiCommand&) override { ++steps_done; }

  FakeBlock* medium = nullptr;
  std::unique_ptr<ScsiDisk> disk;
  ScsiTask task{*disk, *this};
  DataStage stage;
  unsigned steps_done = 0;

 private:
  void settle(Progress progress) {
    if (progress == Progress::done) return;
    const unsigned before = steps_done;
    while (steps_done == before && medium->complete_next()) {
    }
  }
};

}  // namespace periplex::usb::device::testing

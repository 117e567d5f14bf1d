// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "usb/device/block_backend.hpp"
#include "usb/device/scsi_commands.hpp"

namespace periplex::usb::device {

/// A test aid: a backend with blocks that cannot be read, as on a worn disk. Writes pass.
class BlockFaults final : public BlockBackend {
 public:
  BlockFaults(std::unique_ptr<BlockBackend> inner, std::vector<BlockRange> unreadable);

  [[nodiscard]] std::uint64_t size() const override { return inner_->size(); }
  [[nodiscard]] std::uint32_t logical_block_size() const override { return inner_->logical_block_size(); }
  [[nodiscard]] std::uint32_t physical_block_size() const override { return inner_->physical_block_size(); }
  [[nodiscard]] bool read_only() const override { return inner_->read_only(); }
  [[nodiscard]] bool can_discard() const override { return inner_->can_discard(); }
  [[nodiscard]] BlockStart start(const BlockRequest& request, BlockHandler handler) override;

 private:
  /// The first unreadable byte in [`offset`, `offset + length`).
  [[nodiscard]] std::optional<std::uint64_t> first_bad_byte(std::uint64_t offset, std::uint64_t length) const;

  std::unique_ptr<BlockBackend> inner_;
  std::vector<BlockRange> unreadable_;
};

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/storage.hpp"

#include <utility>

namespace periplex::usb::device {
namespace {

StorageIdentity identity_of(const StorageOptions& options) {
  return {.manufacturer = options.vendor, .product = options.product, .serial_number = options.serial};
}

ScsiDiskOptions disk_options(const StorageOptions& options) {
  return {.identity = {.vendor = options.vendor,
                       .product = options.product,
                       .revision = options.revision,
                       .serial = options.serial},
          .removable = options.removable,
          .read_only = options.read_only};
}

std::unique_ptr<BlockBackend> prepare(std::unique_ptr<BlockBackend> medium,
                                      const std::vector<BlockRange>& bad_sectors) {
  if (medium == nullptr || bad_sectors.empty()) return medium;
  return std::make_unique<BlockFaults>(std::move(medium), bad_sectors);
}

}  // namespace

Storage::Storage(const StorageOptions& options, Speed speed, std::unique_ptr<BlockBackend> medium, Scheduler& scheduler)
    : Storage(options, speed,
              std::make_unique<ScsiDisk>(disk_options(options), prepare(std::move(medium), options.bad_sectors)),
              scheduler) {}

Storage::Storage(const StorageOptions& options, Speed speed, std::unique_ptr<ScsiDisk> disk, Scheduler& scheduler)
    : StorageDevice(identity_of(options), options.transport, speed, std::move(disk), scheduler),
      bad_sectors_(options.bad_sectors),
      disk_(static_cast<ScsiDisk&>(target())) {}

std::expected<void, EjectError> Storage::eject(Force force) {
  if (!disk_.options().removable) return std::unexpected(EjectError::not_removable);
  if (disk_.medium() == nullptr) return std::unexpected(EjectError::no_medium);
  if (disk_.locked() && force == Force::no) return std::unexpected(EjectError::locked);
  disk_.remove();
  return {};
}

void Storage::insert(std::unique_ptr<BlockBackend> medium) {
  disk_.insert(prepare(std::move(medium), bad_sectors_));
}

StorageState Storage::state() const {
  return {.medium_present = disk_.medium_present(),
          .locked = disk_.locked(),
          .write_protected = disk_.write_protected(),
          .size = disk_.blocks() * disk_.block_size(),
          .block_size = disk_.block_size(),
          .counters = disk_.counters()};
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "usb/device/block_backend.hpp"
#include "usb/device/block_faults.hpp"
#include "usb/device/scsi_disk.hpp"
#include "usb/device/storage_device.hpp"

namespace periplex::usb::device {

struct StorageOptions {
  std::string vendor = "Periplex";   ///< INQUIRY shows 8 characters
  std::string product = "USB Disk";  ///< INQUIRY shows 16 characters; the USB string is whole
  std::string revision = "0001";     ///< 4 characters
  /// At least 12 characters out of 0-9 and A-F (Bulk-Only §4.1.1), such as `stable_serial_number` makes.
  std::string serial;
  bool removable = true;
  bool read_only = false;
  StorageTransport transport = StorageTransport::bulk_only;
  /// A test aid: these blocks cannot be read. Never set for anything else.
  std::vector<BlockRange> bad_sectors;
};

/// What a list of devices says about a disk.
struct StorageState {
  bool medium_present = false;
  bool locked = false;  ///< the guest has asked that the medium stay in
  bool write_protected = false;
  std::uint64_t size = 0;  ///< bytes; zero without a medium
  std::uint32_t block_size = 0;
  ScsiCounters counters;
};

enum class EjectError : std::uint8_t {
  not_removable,  ///< the medium is part of the disk: unplug the disk instead
  no_medium,
  locked,  ///< the guest uses it and has locked it; `Force::yes` takes it out all the same
};

/// A USB disk of our own: a storage device over a `ScsiDisk`.
class Storage final : public StorageDevice {
 public:
  enum class Force : bool { no, yes };

  /// `medium` may be null if the disk is removable.
  Storage(const StorageOptions& options, Speed speed, std::unique_ptr<BlockBackend> medium, Scheduler& scheduler);

  /// Takes the medium out as a press on an eject button does; it is closed when this returns. With force, also while
  /// the guest has locked it: what the guest has not flushed is then its loss.
  std::expected<void, EjectError> eject(Force force = Force::no);
  /// Puts a medium in; one that was there is taken out by force. The guest is told that the medium has changed.
  void insert(std::unique_ptr<BlockBackend> medium);
  [[nodiscard]] StorageState state() const;

 private:
  Storage(const StorageOptions& options, Speed speed, std::unique_ptr<ScsiDisk> disk, Scheduler& scheduler);

  const std::vector<BlockRange> bad_sectors_;
  ScsiDisk& disk_;  // the device's target
};

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "attachment/extension.hpp"
#include "attachment/hello.hpp"
#include "base/time.hpp"
#include "storage/attached/part_carrier.hpp"
#include "storage/remote_target.hpp"
#include "usb/device/storage_device.hpp"

namespace periplex::storage {

/// Whether this is a disk that is worth terminating: one configuration with one interface, mass storage with the SCSI
/// transparent command set, by bulk-only (08h/06h/50h) or USB Attached SCSI (08h/06h/62h). What has other functions
/// beside is tunnelled whole.
[[nodiscard]] bool is_disk(const attachment::Describe& description);

/// The worker's half of a terminated disk: an extension of the `RemotePeripheral` that may be one
/// (docs/decisions/0008-storage-is-terminated.md).
///
/// The guest gets a storage device of our own, over a `RemoteTarget`, as soon as the agent has said who the disk is;
/// what is no disk, or cannot be driven as one, is tunnelled. While there is no connection commands are pending: they
/// and their results go on where they were. A disk that is lost is unplugged.
class TerminatedDisk final : public attachment::PeripheralExtension {
 public:
  explicit TerminatedDisk(Scheduler& scheduler, const RemoteOptions& options = {})
      : scheduler_(scheduler), options_(options) {}
  TerminatedDisk(const TerminatedDisk&) = delete;
  TerminatedDisk& operator=(const TerminatedDisk&) = delete;
  ~TerminatedDisk() { end(); }

  // PeripheralExtension
  [[nodiscard]] bool begin(const attachment::Describe& description, attachment::PeripheralLink& link) override;
  [[nodiscard]] std::uint32_t capabilities() const override { return attachment::kCapabilityStorageCommands; }
  [[nodiscard]] attachment::Verdict on_message(ByteView message) override;
  void on_resumed() override { carrier_.flush(); }
  void on_room() override { carrier_.flush(); }
  void end() override;

  /// Whether the guest has the disk by this way just now.
  [[nodiscard]] bool shown() const { return device_ != nullptr; }
  /// Empty while it has not.
  [[nodiscard]] std::optional<RemoteCounters> counters() const;

 private:
  void on_identity(const DiskIdentity& disk);
  void on_failed(RemoteFailure why);
  [[nodiscard]] attachment::Verdict on_part(ByteView part);
  [[nodiscard]] attachment::Verdict on_no_disk(ByteView reason);

  Scheduler& scheduler_;
  const RemoteOptions options_;
  attachment::PeripheralLink* link_ = nullptr;  // null: it is tunnelled, or there is none
  usb::Speed speed_ = usb::Speed::high;
  PartCarrier carrier_;
  std::unique_ptr<RemoteTarget> opening_;  // until the agent has said who the disk is
  RemoteTarget* target_ = nullptr;         // opening_, or the device's
  std::unique_ptr<usb::device::StorageDevice> device_;
  bool broken_ = false;  // the agent has sent what is no message
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "usb/device/bulk_only.hpp"
#include "usb/device/emulated_device.hpp"
#include "usb/device/product_ids.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/uas.hpp"

namespace periplex::usb::device {

/// How commands and data travel.
enum class StorageTransport : std::uint8_t {
  bulk_only,  ///< one command at a time; every driver and firmware knows it
  uas,        ///< USB Attached SCSI, many at once, for whoever chooses it; bulk-only for all others
};

/// Who a storage device says it is, on the bus.
struct StorageIdentity {
  std::uint16_t vendor_id = kVendorId;
  std::uint16_t product_id = kStorageProductId;
  std::uint16_t release = 0x0100;  ///< bcdDevice
  std::string manufacturer;
  std::string product;
  /// At least 12 characters out of 0-9 and A-F (Bulk-Only §4.1.1), such as `stable_serial_number` makes.
  std::string serial_number;
};

/// A USB storage device: bulk-only transport (interface class 08h, subclass 06h, protocol 50h) over any SCSI target.
///
/// With `StorageTransport::uas` there is also alternate setting 1 of the same interface: USB Attached SCSI (protocol
/// 62h) over the same target. Setting 0 is what firmware and older drivers find and use. At SuperSpeed its status and
/// data pipes have streams, which a driver for it needs its controller to have too. UAS here reaches unit 0 alone.
class StorageDevice : public EmulatedDevice, private BulkOnly::Pipes, private UasPipes {
 public:
  StorageDevice(const StorageIdentity& identity, StorageTransport transport, Speed speed,
                std::unique_ptr<ScsiTarget> target, Scheduler& scheduler);

 protected:
  [[nodiscard]] ScsiTarget& target() { return *target_; }

 private:
  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override;
  void on_transfer(EndpointAddress endpoint) override;
  void on_cancel(TransferId id) override;
  void on_configured(std::uint8_t value) override;
  void on_interface_reset(std::uint8_t interface, std::uint8_t alternate_setting) override;
  void on_endpoint_halt_cleared(EndpointAddress endpoint) override;
  void on_reset() override;

  TransferPtr take(Direction direction) override;
  void finish(TransferPtr transfer, Completion completion) override;
  void halt(Direction direction) override;

  TransferPtr take(UasPipe pipe, std::uint16_t stream) override;
  void halt(UasPipe pipe) override;

  void reset_transports(Status status);

  const std::unique_ptr<ScsiTarget> target_;
  BulkOnly bulk_only_;
  Uas uas_;
  StorageTransport current_ = StorageTransport::bulk_only;  // which of the two the host has chosen
};

}  // namespace periplex::usb::device

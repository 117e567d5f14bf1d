// SPDX-License-Identifier: Apache-2.0
#include "usb/device/storage_device.hpp"

#include <utility>

namespace periplex::usb::device {
namespace {

// Both settings move data at the same two addresses, as the disks do that drivers are used to.
constexpr EndpointAddress kBulkIn{1, Direction::in};
constexpr EndpointAddress kBulkOut{2, Direction::out};
constexpr EndpointAddress kUasStatus{3, Direction::in};
constexpr EndpointAddress kUasCommand{4, Direction::out};
constexpr std::uint8_t kMaxBurst = 15;  // of 16 packets: large transfers

constexpr std::uint8_t kBulkOnlySetting = 0;
constexpr std::uint8_t kUasSetting = 1;

constexpr std::uint8_t kMassStorage = 0x08;  // USB Mass Storage Class Overview 1.4
constexpr std::uint8_t kScsiTransparent = 0x06;
constexpr std::uint8_t kBulkOnlyTransport = 0x50;
constexpr std::uint8_t kUsbAttachedScsi = 0x62;

// Bulk-Only §3.1, §3.2: bmRequestType and bRequest.
constexpr std::uint8_t kToInterface = 0x21;
constexpr std::uint8_t kFromInterface = 0xa1;
constexpr std::uint8_t kGetMaxLun = 0xfe;
constexpr std::uint8_t kBulkOnlyReset = 0xff;

EndpointAddress pipe(Direction direction) {
  return direction == Direction::in ? kBulkIn : kBulkOut;
}

EndpointAddress address(UasPipe pipe) {
  switch (pipe) {
    case UasPipe::command:
      return kUasCommand;
    case UasPipe::status:
      return kUasStatus;
    case UasPipe::data_in:
      return kBulkIn;
    case UasPipe::data_out:
      break;
  }
  return kBulkOut;
}

UasPipe uas_pipe(EndpointAddress endpoint) {
  if (endpoint == kUasCommand) return UasPipe::command;
  if (endpoint == kUasStatus) return UasPipe::status;
  return endpoint == kBulkIn ? UasPipe::data_in : UasPipe::data_out;
}

EndpointDescription describe(UasPipe pipe) {
  // UAS-3, "Pipe Usage descriptor": bLength, bDescriptorType, bPipeID, reserved.
  constexpr std::uint8_t kPipeUsage = 0x24;
  const auto id = static_cast<std::uint8_t>(pipe);
  const bool moves_data = pipe == UasPipe::data_in || pipe == UasPipe::data_out;
  return {.address = address(pipe),
          .type = TransferType::bulk,
          .max_burst = moves_data ? kMaxBurst : std::uint8_t{0},
          .stream_exponent = pipe == UasPipe::command ? std::uint8_t{0} : kUasStreamExponent,
          .class_descriptors = ByteWriter().u8(4).u8(kPipeUsage).u8(id).u8(0).take()};
}

InterfaceDescription describe_uas() {
  using enum UasPipe;
  return {.alternate_setting = kUasSetting,
          .interface_class = kMassStorage,
          .interface_subclass = kScsiTransparent,
          .interface_protocol = kUsbAttachedScsi,
          .endpoints = {describe(command), describe(status), describe(data_in), describe(data_out)}};
}

DeviceDescription describe(const StorageIdentity& identity, StorageTransport transport) {
  DeviceDescription description = {
      .vendor_id = identity.vendor_id,
      .product_id = identity.product_id,
      .release = identity.release,
      .manufacturer = identity.manufacturer,
      .product = identity.product,
      .serial_number = identity.serial_number,
      .interfaces = {{
          .alternate_setting = kBulkOnlySetting,
          .interface_class = kMassStorage,
          .interface_subclass = kScsiTransparent,
          .interface_protocol = kBulkOnlyTransport,
          .endpoints = {{.address = kBulkIn, .type = TransferType::bulk, .max_burst = kMaxBurst},
                        {.address = kBulkOut, .type = TransferType::bulk, .max_burst = kMaxBurst}},
      }},
  };
  if (transport == StorageTransport::uas) description.interfaces.push_back(describe_uas());
  return description;
}

}  // namespace

StorageDevice::StorageDevice(const StorageIdentity& identity, StorageTransport transport, Speed speed,
                             std::unique_ptr<ScsiTarget> target, Scheduler& scheduler)
    : EmulatedDevice(describe(identity, transport), speed, scheduler),
      target_(std::move(target)),
      bulk_only_(*target_, *this),
      uas_(*target_, *this, {.streams = is_usb3(speed), .packet_size = bulk_packet(speed)}) {}

ControlResult StorageDevice::on_class_request(const SetupPacket& setup, ByteView) {
  if (current_ != StorageTransport::bulk_only) return kStall;  // they are its requests
  // "wValue 0, wLength 0" and "wValue 0, wLength 1"; anything else is not one of our requests.
  if (setup.request_type == kToInterface && setup.request == kBulkOnlyReset && setup.value == 0 && setup.length == 0) {
    bulk_only_.reset_recovery();
    return Bytes{};
  }
  if (setup.request_type == kFromInterface && setup.request == kGetMaxLun && setup.value == 0 && setup.length > 0) {
    return Bytes{std::byte{target_->last_lun()}};
  }
  return kStall;
}

void StorageDevice::on_transfer(EndpointAddress endpoint) {
  if (current_ == StorageTransport::uas) {
    uas_.on_transfer(uas_pipe(endpoint));
  } else {
    bulk_only_.on_transfer();
  }
}

void StorageDevice::on_cancel(TransferId id) {
  bulk_only_.cancel(id);
  uas_.cancel(id);
}

void StorageDevice::on_configured(std::uint8_t) {
  reset_transports(Status::error);
  current_ = StorageTransport::bulk_only;
}

void StorageDevice::on_interface_reset(std::uint8_t, std::uint8_t alternate_setting) {
  reset_transports(Status::error);
  current_ = alternate_setting == kUasSetting ? StorageTransport::uas : StorageTransport::bulk_only;
}

void StorageDevice::on_endpoint_halt_cleared(EndpointAddress endpoint) {
  if (current_ == StorageTransport::bulk_only) bulk_only_.on_halt_cleared(endpoint.direction());
}

void StorageDevice::on_reset() {
  reset_transports(Status::cancelled);
  current_ = StorageTransport::bulk_only;
  target_->power_on();
}

void StorageDevice::reset_transports(Status status) {
  bulk_only_.reset(status);
  uas_.reset(status);
}

TransferPtr StorageDevice::take(Direction direction) {
  return take_pending(pipe(direction));
}
void StorageDevice::finish(TransferPtr transfer, Completion completion) {
  EmulatedDevice::finish(std::move(transfer), completion);
}
void StorageDevice::halt(Direction direction) {
  EmulatedDevice::halt(pipe(direction));
}

TransferPtr StorageDevice::take(UasPipe pipe, std::uint16_t stream) {
  return take_pending(address(pipe), stream);
}
void StorageDevice::halt(UasPipe pipe) {
  EmulatedDevice::halt(address(pipe));
}

}  // namespace periplex::usb::device

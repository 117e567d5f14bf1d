// SPDX-License-Identifier: Apache-2.0
#include "usb/device/write_protected_disk.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"
#include "usb/descriptors.hpp"
#include "usb/device/descriptor_walk.hpp"

namespace periplex::usb::device {
namespace {

// Offsets in an interface descriptor (USB 2.0 table 9-12).
constexpr std::size_t kType = 1;
constexpr std::size_t kClass = 5;
constexpr std::size_t kProtocol = 7;
constexpr std::uint8_t kMassStorage = 0x08;
constexpr std::uint8_t kUas = 0x62;
constexpr std::uint8_t kVendorSpecific = 0xff;

constexpr std::uint8_t kFromDevice = 0x80;     // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kBulkOnlyReset = 0xff;  // Bulk-Only §3.1
constexpr std::uint8_t kGetMaxLun = 0xfe;      // §3.2

// SPC-4 table E.2, SBC-3, MMC-6. None of these changes what is on a medium.
enum : std::uint8_t {
  kRequestSense = 0x03,
  kModeSense6 = 0x1a,
  kModeSense10 = 0x5a,
};
constexpr auto kHarmless = std::to_array<std::uint8_t>({
    0x00,  // TEST UNIT READY
    0x03,  // REQUEST SENSE
    0x08,  // READ (6)
    0x12,  // INQUIRY
    0x1b,  // START STOP UNIT
    0x1e,  // PREVENT ALLOW MEDIUM REMOVAL
    0x23,  // READ FORMAT CAPACITIES
    0x25,  // READ CAPACITY (10)
    0x28,  // READ (10)
    0x2b,  // SEEK (10)
    0x2f,  // VERIFY (10)
    0x35,  // SYNCHRONIZE CACHE (10)
    0x42,  // READ SUB-CHANNEL (with data-out it would be UNMAP)
    0x43,  // READ TOC
    0x44,  // READ HEADER
    0x46,  // GET CONFIGURATION
    0x4a,  // GET EVENT STATUS NOTIFICATION
    0x4d,  // LOG SENSE
    0x51,  // READ DISC INFORMATION
    0x52,  // READ TRACK INFORMATION
    0x88,  // READ (16)
    0x8f,  // VERIFY (16)
    0x91,  // SYNCHRONIZE CACHE (16)
    0x9e,  // SERVICE ACTION IN (16): READ CAPACITY (16), GET LBA STATUS
    0xa0,  // REPORT LUNS
    0xa8,  // READ (12)
    0xad,  // READ DVD STRUCTURE
    0xaf,  // VERIFY (12)
    0xb9,  // READ CD MSF
    0xbd,  // MECHANISM STATUS
    0xbe,  // READ CD
});
/// Those of the others that would write: only these are said to be write-protected, the rest are not known here.
constexpr auto kWrites = std::to_array<std::uint8_t>({0x04, 0x0a, 0x15, 0x2a, 0x2e, 0x3b, 0x3f, 0x41, 0x48, 0x53,
                                                      0x55, 0x83, 0x89, 0x8a, 0x8e, 0x93, 0x9f, 0xa1, 0xaa, 0xae});

constexpr std::uint8_t kWriteProtect = 0x80;  // WP of a device-specific parameter (SBC-3, mode parameter header)

template <std::size_t N>
bool has(const std::array<std::uint8_t, N>& list, std::uint8_t operation) {
  return std::ranges::find(list, operation) != list.end();
}

bool asks_for_configuration(const Transfer& transfer) {
  if (!transfer.setup->is(StandardRequest::get_descriptor, kFromDevice)) return false;
  const auto type = static_cast<DescriptorType>(transfer.setup->value >> 8);
  return type == DescriptorType::configuration || type == DescriptorType::other_speed_configuration;
}

/// Whether a request may change something, or begin another protocol.
bool is_refused(const SetupPacket& setup) {
  if (setup.type() == RequestType::device_class) {
    return setup.request != kBulkOnlyReset && setup.request != kGetMaxLun;
  }
  if (setup.type() != RequestType::standard) return true;
  const auto request = static_cast<StandardRequest>(setup.request);
  return request == StandardRequest::set_descriptor || (request == StandardRequest::set_interface && setup.value != 0);
}

/// A mode parameter header without block descriptors and pages (SPC-4 tables 440 and 441).
Bytes mode_sense(std::uint8_t operation) {
  ByteWriter header;
  if (operation == kModeSense6) return header.u8(3).u8(0).u8(kWriteProtect).u8(0).take();
  return header.be16(6).u8(0).u8(kWriteProtect).zeros(4).take();
}

}  // namespace

WriteProtectedDisk::WriteProtectedDisk(std::unique_ptr<Device> device, Scheduler& scheduler)
    : answers_(scheduler), device_(std::move(device)) {}

void WriteProtectedDisk::finish(TransferPtr transfer, Status status, std::size_t actual) {
  answers_.push(std::move(transfer), {status, static_cast<std::uint32_t>(actual)});
}

void WriteProtectedDisk::forget() {
  answer_.reset();
  sense_.reset();
}

void WriteProtectedDisk::reset() {
  forget();
  device_->reset();
}

void WriteProtectedDisk::submit(TransferPtr transfer) {
  if (transfer->setup) return submit_control(std::move(transfer));
  return transfer->direction() == Direction::out ? submit_out(std::move(transfer)) : submit_in(std::move(transfer));
}

void WriteProtectedDisk::submit_control(TransferPtr transfer) {
  const SetupPacket& setup = *transfer->setup;
  if (is_refused(setup)) return finish(std::move(transfer), Status::stall, 0);
  if (setup.type() == RequestType::device_class && setup.request == kBulkOnlyReset) answer_.reset();
  if (setup.type() == RequestType::standard &&
      static_cast<StandardRequest>(setup.request) == StandardRequest::set_configuration) {
    forget();
  }
  if (asks_for_configuration(*transfer)) asked_.emplace(transfer->id(), &transfer->interpose(*this));
  device_->submit(std::move(transfer));
}

/// Hides UAS: what a driver looks for is the protocol of an alternate setting.
void WriteProtectedDisk::on_complete(TransferPtr transfer, Completion completion) {
  const auto asked = asked_.find(transfer->id());
  PERIPLEX_CHECK(asked != asked_.end());
  (void)transfer->interpose(*asked->second);
  asked_.erase(asked);
  const Bytes bytes = transfer->data.copy(completion.status == Status::ok ? completion.actual : 0);
  walk_descriptors(bytes, [&](std::size_t at, ByteView descriptor) {
    if (descriptor.size() <= kProtocol ||
        descriptor[kType] != std::byte{static_cast<std::uint8_t>(DescriptorType::interface)} ||
        descriptor[kClass] != std::byte{kMassStorage} || descriptor[kProtocol] != std::byte{kUas}) {
      return;
    }
    for (std::size_t offset = kClass; offset <= kProtocol; ++offset) change(*transfer, at + offset, kVendorSpecific);
  });
  Transfer::complete(std::move(transfer), completion);
}

void WriteProtectedDisk::submit_out(TransferPtr transfer) {
  const std::size_t size = transfer->data.size();
  if (answer_ && answer_->stage == Answer::Stage::data_out) {
    answer_->left -= static_cast<std::uint32_t>(std::min<std::size_t>(size, answer_->left));
    if (answer_->left == 0) answer_->stage = Answer::Stage::status;
    return finish(std::move(transfer), Status::ok, size);
  }
  // A copy, as the guest may change its own memory between this look and the device's.
  Bytes bytes = transfer->data.copy(std::min(size, CommandBlockWrapper::kSize));
  const auto wrapper = size == CommandBlockWrapper::kSize ? CommandBlockWrapper::parse(bytes) : std::nullopt;
  if (!wrapper) return finish(std::move(transfer), Status::stall, 0);
  answer_.reset();
  if (answered_here(*wrapper)) return finish(std::move(transfer), Status::ok, size);
  transfer->data = TransferData::owned(std::move(bytes));
  device_->submit(std::move(transfer));
}

bool WriteProtectedDisk::answered_here(const CommandBlockWrapper& wrapper) {
  const auto operation = std::to_integer<std::uint8_t>(wrapper.command[0]);
  const std::optional<Sense> sense = std::exchange(sense_, std::nullopt);
  const bool device_bound = wrapper.data_transfer_length > 0 && !wrapper.data_in;
  if (operation == kRequestSense && sense && !device_bound) {
    return begin(wrapper, sense->fixed_format(), BulkOnlyStatus::passed), true;
  }
  if ((operation == kModeSense6 || operation == kModeSense10) && !device_bound) {
    return begin(wrapper, mode_sense(operation), BulkOnlyStatus::passed), true;
  }
  if (has(kHarmless, operation) && !device_bound) return false;
  sense_ = device_bound || has(kWrites, operation) ? sense::kWriteProtected : sense::kInvalidOperationCode;
  begin(wrapper, {}, BulkOnlyStatus::failed);
  return true;
}

void WriteProtectedDisk::begin(const CommandBlockWrapper& wrapper, Bytes data, BulkOnlyStatus status) {
  data.resize(std::min<std::size_t>(data.size(), wrapper.data_transfer_length));
  const auto sent = static_cast<std::uint32_t>(data.size());
  Answer answer{.data = std::move(data),
                .status = {.tag = wrapper.tag, .data_residue = wrapper.data_transfer_length - sent, .status = status}};
  if (wrapper.data_transfer_length > 0) {
    answer.stage = wrapper.data_in ? Answer::Stage::data_in : Answer::Stage::data_out;
    answer.left = wrapper.data_in ? 0 : wrapper.data_transfer_length;
  }
  answer_ = std::move(answer);
}

void WriteProtectedDisk::submit_in(TransferPtr transfer) {
  const bool bulk = endpoint_type(transfer->endpoint()).value_or(TransferType::bulk) == TransferType::bulk;
  if (!answer_ || !bulk) return device_->submit(std::move(transfer));
  // A host that skips device-bound data gets the status at once, with all of it as residue.
  // Data that is shorter than what was asked for ends its stage (§6.7.2): status is next.
  if (std::exchange(answer_->stage, Answer::Stage::status) == Answer::Stage::data_in) {
    const std::size_t size = transfer->data.write(0, answer_->data);
    return finish(std::move(transfer), Status::ok, size);
  }
  const Bytes status = answer_->status.encode();
  answer_.reset();
  const std::size_t size = transfer->data.write(0, status);
  finish(std::move(transfer), Status::ok, size);
}

}  // namespace periplex::usb::device

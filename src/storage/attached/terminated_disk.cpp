// SPDX-License-Identifier: Apache-2.0
#include "storage/attached/terminated_disk.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "attachment/limits.hpp"
#include "storage/attached/parts.hpp"
#include "storage/disk_interface.hpp"
#include "usb/descriptors.hpp"

namespace periplex::storage {
namespace {

using attachment::Describe;
using attachment::Verdict;
using attachment::violation;

constexpr std::uint16_t kDevice = 0x0100;         // wValue of GET_DESCRIPTOR
constexpr std::uint16_t kConfiguration = 0x0200;  // the first one
constexpr std::uint8_t kScsiTransparent = 0x06;

ByteView find(const Describe& description, std::uint16_t value) {
  for (const attachment::KnownDescriptor& each : description.descriptors) {
    if (each.value == value && each.index == 0 && each.bytes) return *each.bytes;
  }
  return {};
}

}  // namespace

bool is_disk(const Describe& description) {
  if (description.speed < usb::Speed::full) return false;
  const auto device = usb::parse_device(find(description, kDevice));
  if (!device || device->num_configurations != 1) return false;
  const auto configuration = usb::parse_configuration(find(description, kConfiguration));
  if (!configuration || configuration->interfaces.empty()) return false;
  const std::uint8_t number = configuration->interfaces.front().descriptor.number;
  const bool alone = std::ranges::all_of(configuration->interfaces, [number](const usb::ParsedInterface& each) {
    return each.descriptor.number == number && each.descriptor.interface_subclass == kScsiTransparent;
  });
  return alone && find_disk(*configuration, true).has_value();
}

bool TerminatedDisk::begin(const Describe& description, attachment::PeripheralLink& link) {
  end();
  if (!is_disk(description)) return false;
  link_ = &link;
  speed_ = description.speed;
  carrier_.begin(link);
  opening_ = std::make_unique<RemoteTarget>(carrier_, scheduler_, options_);
  target_ = opening_.get();
  target_->set_on_identity([this](const DiskIdentity& disk) { on_identity(disk); });
  target_->set_on_failed([this](RemoteFailure why) { on_failed(why); });
  link.send(Bytes{kOpenDisk});
  return true;
}

/// What the guest still waits for ends here, with its device.
void TerminatedDisk::end() {
  link_ = nullptr;
  carrier_.end();
  target_ = nullptr;
  device_.reset();
  opening_.reset();
  broken_ = false;
}

Verdict TerminatedDisk::on_message(ByteView message) {
  if (link_ == nullptr) return violation("a storage message where none was asked for");
  const std::byte type = message.front();
  if (type == kPart || type == kLastPart) return on_part(message);
  if (type == kNoDisk) return on_no_disk(message.subspan(1));
  return violation("a storage message of a kind that an agent does not send");
}

Verdict TerminatedDisk::on_part(ByteView part) {
  if (const Verdict verdict = carrier_.on_part(part); !verdict) return verdict;
  return broken_ ? violation("a broken storage message") : Verdict{};
}

/// Called by the target, which so changes hands from inside.
void TerminatedDisk::on_identity(const DiskIdentity& disk) {
  device_ = std::make_unique<usb::device::StorageDevice>(device_identity(disk), device_transport(disk), speed_,
                                                         std::move(opening_), scheduler_);
  link_->show(device_.get());
}

void TerminatedDisk::on_failed(RemoteFailure why) {
  if (why == RemoteFailure::broken_message) {
    broken_ = true;
  } else if (link_ != nullptr) {
    link_->give_up("the disk is gone");
  }
}

Verdict TerminatedDisk::on_no_disk(ByteView reason) {
  if (reason.size() > attachment::kMaxReasonBytes) return violation("a reason that is too long");
  if (device_) {
    link_->give_up(std::string(as_text(reason)));
    return {};
  }
  attachment::PeripheralLink& link = *link_;
  end();
  link.show(nullptr);
  return {};
}

std::optional<RemoteCounters> TerminatedDisk::counters() const {
  if (!device_) return std::nullopt;
  return target_->counters();
}

}  // namespace periplex::storage

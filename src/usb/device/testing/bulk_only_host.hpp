// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/testing/disk_host.hpp"

namespace periplex::usb::device::testing {

/// A host with one configured disk that uses the bulk-only transport.
class BulkOnlyHost final : public DiskHost {
 public:
  static constexpr std::uint32_t kTag = 0xc0ffee;

  explicit BulkOnlyHost(const StorageOptions& options = {.serial = "0123456789ABCDEF"}, std::size_t blocks = 1024)
      : DiskHost(options, Speed::super, blocks) {
    configure();
  }

  void configure() {
    (void)control(0x00, 0x09, 1, 0, 0);
    (void)run({std::byte{0}});  // takes the power-on attention
    (void)run({std::byte{3}, {}, {}, {}, std::byte{18}}, 18);
  }

  /// Submits without waiting.
  TransferId in(std::size_t room) { return submit(EndpointAddress(1, Direction::in), TransferData::room(room)); }
  TransferId out(Bytes content) {
    return submit(EndpointAddress(2, Direction::out), TransferData::owned(std::move(content)));
  }
  Answer reset_recovery() { return control(0x21, 0xff, 0, 0, 0); }

  static Bytes cbw(const Bytes& cdb, std::uint32_t length, bool data_in, std::uint8_t lun = 0) {
    ByteWriter out;
    out.le32(CommandBlockWrapper::kSignature).le32(kTag).le32(length).u8(data_in ? 0x80 : 0).u8(lun);
    out.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }
  static Bytes csw(std::uint32_t residue, BulkOnlyStatus status) {
    return CommandStatusWrapper{.tag = kTag, .data_residue = residue, .status = status}.encode();
  }

  /// A whole command with data in, or none; returns the status wrapper.
  Bytes run(const Bytes& cdb, std::uint32_t room = 0) {
    (void)get(out(cbw(cdb, room, true)));
    if (room > 0) data = get(in(room)).data;
    return get(in(13)).data;
  }
  Bytes run_out(const Bytes& cdb, const Bytes& content) {
    (void)get(out(cbw(cdb, static_cast<std::uint32_t>(content.size()), false)));
    (void)get(out(content));
    return get(in(13)).data;
  }
  /// The sense data of the last failure: key, ASC, ASCQ.
  std::array<unsigned, 3> sense() {
    (void)run({std::byte{3}, {}, {}, {}, std::byte{18}}, 18);
    const auto at = [this](std::size_t i) { return std::to_integer<unsigned>(data.at(i)); };
    return {at(2), at(12), at(13)};
  }

  Bytes data;  ///< of the last command with data in
};

}  // namespace periplex::usb::device::testing

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_inquiry.hpp"

#include <array>

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t kDirectAccess = 0x00;
constexpr std::uint8_t kNoSuchUnit = 0x7f;
constexpr std::uint8_t kRemovable = 0x80;  // RMB
constexpr std::uint8_t kSpc4 = 0x06;
constexpr std::uint8_t kResponseDataFormat = 0x02;

enum class VpdPage : std::uint8_t {
  supported_pages = 0x00,
  unit_serial_number = 0x80,
  device_identification = 0x83,
  block_limits = 0xb0,
  block_device_characteristics = 0xb1,
  logical_block_provisioning = 0xb2,
};
constexpr std::array kPages = {
    VpdPage::supported_pages, VpdPage::unit_serial_number,           VpdPage::device_identification,
    VpdPage::block_limits,    VpdPage::block_device_characteristics, VpdPage::logical_block_provisioning};

Bytes standard_inquiry(std::uint8_t peripheral, bool removable, const ScsiIdentity& identity) {
  ByteWriter out;
  out.u8(peripheral).u8(removable ? kRemovable : 0).u8(kSpc4).u8(kResponseDataFormat);
  out.u8(31).zeros(3);  // ADDITIONAL LENGTH: to byte 35
  out.padded_text(identity.vendor, 8).padded_text(identity.product, 16).padded_text(identity.revision, 4);
  return out.take();
}

Bytes supported_pages() {
  ByteWriter out;
  for (const VpdPage page : kPages) out.u8(static_cast<std::uint8_t>(page));
  return out.take();
}

// A name that is unique by its vendor (T10 vendor ID designator), and a 64-bit one assigned here (NAA 3h) because
// guests make their stable links from that. Both follow from the serial number.
Bytes device_identification(const ScsiIdentity& identity) {
  constexpr std::uint8_t kAscii = 0x02;
  constexpr std::uint8_t kBinary = 0x01;
  constexpr std::uint8_t kT10Vendor = 0x01;
  constexpr std::uint8_t kNaa = 0x03;
  const std::string serial = identity.serial.substr(0, 64);
  ByteWriter out;
  out.u8(kAscii).u8(kT10Vendor).u8(0).u8(static_cast<std::uint8_t>(8 + 16 + serial.size()));
  out.padded_text(identity.vendor, 8).padded_text(identity.product, 16).bytes(as_bytes(serial));
  std::uint64_t name = 0xcbf29ce484222325;  // FNV-1a: the same number for the same serial, for ever
  for (const char c : serial) name = (name ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  out.u8(kBinary).u8(kNaa).u8(0).u8(8).be64((name >> 4) | std::uint64_t{3} << 60);
  return out.take();
}

// SBC-3, Block Limits VPD page.
Bytes block_limits(const InquiryFacts& facts) {
  const std::uint32_t size = facts.block_size;
  const std::uint32_t granularity = facts.physical_block_size / size;
  ByteWriter out;
  out.u8(0x01);                                                     // WSNZ: WRITE SAME must name a number of blocks
  out.u8(0);                                                        // no COMPARE AND WRITE
  out.be16(static_cast<std::uint16_t>(granularity));                // OPTIMAL TRANSFER LENGTH GRANULARITY
  out.be32(static_cast<std::uint32_t>(kMaxTransferLength / size));  // MAXIMUM TRANSFER LENGTH
  out.be32((std::uint32_t{1} << 20) / size);                        // OPTIMAL TRANSFER LENGTH
  out.be32(0);                                                      // no PRE-FETCH
  out.be32(facts.can_discard ? static_cast<std::uint32_t>(kMaxUnmapLength / size) : 0);
  out.be32(facts.can_discard ? kMaxUnmapDescriptors : 0);
  out.be32(granularity).be32(0);  // UNMAP GRANULARITY, no ALIGNMENT
  out.be64(kMaxWriteSameLength / size);
  out.zeros(20);
  return out.take();
}

// SBC-3, Block Device Characteristics VPD page: MEDIUM ROTATION RATE 1, "non-rotating medium".
Bytes block_device_characteristics() {
  ByteWriter out;
  out.be16(1).zeros(58);
  return out.take();
}

// SBC-3, Logical Block Provisioning VPD page: LBPU, LBPWS, LBPWS10 and LBPRZ; thin provisioned.
Bytes logical_block_provisioning(bool can_discard) {
  ByteWriter out;
  out.u8(0).u8(can_discard ? 0xe4 : 0x00).u8(can_discard ? 0x02 : 0x00).u8(0);
  return out.take();
}

}  // namespace

std::expected<Bytes, Sense> inquiry_data(const Cdb& cdb, const ScsiIdentity& identity, const InquiryFacts& facts) {
  const bool vital_product_data = cdb.bit(1, 0);  // EVPD
  const std::uint8_t code = cdb.u8(2);
  if (!vital_product_data) {
    if (code != 0) return std::unexpected(sense::invalid_field_in_cdb(2));
    return standard_inquiry(kDirectAccess, facts.removable, identity);
  }
  Bytes page;
  switch (static_cast<VpdPage>(code)) {
    case VpdPage::supported_pages:
      page = supported_pages();
      break;
    case VpdPage::unit_serial_number: {
      const ByteView serial = as_bytes(identity.serial);
      page.assign(serial.begin(), serial.end());
      break;
    }
    case VpdPage::device_identification:
      page = device_identification(identity);
      break;
    case VpdPage::block_limits:
      page = block_limits(facts);
      break;
    case VpdPage::block_device_characteristics:
      page = block_device_characteristics();
      break;
    case VpdPage::logical_block_provisioning:
      page = logical_block_provisioning(facts.can_discard);
      break;
    default:
      return std::unexpected(sense::invalid_field_in_cdb(2));
  }
  ByteWriter out;
  out.u8(kDirectAccess).u8(code).be16(static_cast<std::uint16_t>(page.size())).bytes(page);
  return out.take();
}

Bytes inquiry_of_no_unit(const ScsiIdentity& identity) {
  return standard_inquiry(kNoSuchUnit, false, identity);
}

}  // namespace periplex::usb::device

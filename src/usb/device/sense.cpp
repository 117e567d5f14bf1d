// SPDX-License-Identifier: Apache-2.0
#include "usb/device/sense.hpp"

#include <limits>

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t kCurrentFixed = 0x70;
constexpr std::uint8_t kCurrentDescriptor = 0x72;
constexpr std::uint8_t kValid = 0x80;
constexpr std::uint8_t kSksv = 0x80;        // SENSE KEY SPECIFIC VALID
constexpr std::uint8_t kFieldInCdb = 0x40;  // C/D

// SPC-4, "Sense key specific sense data descriptor": sense key specific data of ILLEGAL REQUEST.
void write_field_pointer(ByteWriter& out, const Sense& sense) {
  out.u8(static_cast<std::uint8_t>(kSksv | (sense.field_in_cdb ? kFieldInCdb : 0))).be16(*sense.field);
}

}  // namespace

Bytes Sense::fixed_format() const {
  const bool valid = information && *information <= std::numeric_limits<std::uint32_t>::max();
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(kCurrentFixed | (valid ? kValid : 0)))
      .u8(0)
      .u8(static_cast<std::uint8_t>(key))
      .be32(valid ? static_cast<std::uint32_t>(*information) : 0)
      .u8(10)   // ADDITIONAL SENSE LENGTH: bytes 8 to 17
      .be32(0)  // COMMAND-SPECIFIC INFORMATION
      .u8(asc)
      .u8(ascq)
      .u8(0);  // FIELD REPLACEABLE UNIT CODE
  if (field) {
    write_field_pointer(out, *this);
  } else {
    out.zeros(3);
  }
  return out.take();
}

Bytes Sense::descriptor_format() const {
  ByteWriter descriptors;
  if (information) descriptors.u8(0x00).u8(0x0a).u8(kValid).u8(0).be64(*information);
  if (field) {
    descriptors.u8(0x02).u8(0x06).zeros(2);
    write_field_pointer(descriptors, *this);
    descriptors.u8(0);
  }
  ByteWriter out;
  out.u8(kCurrentDescriptor).u8(static_cast<std::uint8_t>(key)).u8(asc).u8(ascq).zeros(3);
  out.u8(static_cast<std::uint8_t>(descriptors.size())).bytes(descriptors.view());
  return out.take();
}

}  // namespace periplex::usb::device

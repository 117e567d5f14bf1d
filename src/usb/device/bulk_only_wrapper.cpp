// SPDX-License-Identifier: Apache-2.0
#include "usb/device/bulk_only_wrapper.hpp"

#include <algorithm>

namespace periplex::usb::device {

std::optional<CommandBlockWrapper> CommandBlockWrapper::parse(ByteView bytes) {
  if (bytes.size() != kSize) return std::nullopt;
  ByteReader in(bytes);
  if (in.le32() != kSignature) return std::nullopt;
  CommandBlockWrapper cbw;
  cbw.tag = in.le32();
  cbw.data_transfer_length = in.le32();
  cbw.data_in = (in.u8() & 0x80) != 0;
  cbw.lun = in.u8() & 0x0f;
  cbw.command_length = in.u8() & 0x1f;
  if (cbw.command_length < 1 || cbw.command_length > cbw.command.size()) return std::nullopt;
  std::ranges::copy(in.take(cbw.command.size()), cbw.command.begin());
  return cbw;
}

Bytes CommandStatusWrapper::encode() const {
  ByteWriter out;
  out.le32(kSignature).le32(tag).le32(data_residue).u8(static_cast<std::uint8_t>(status));
  return out.take();
}

std::optional<CommandStatusWrapper> CommandStatusWrapper::parse(ByteView bytes) {
  if (bytes.size() != kSize) return std::nullopt;
  ByteReader in(bytes);
  if (in.le32() != kSignature) return std::nullopt;
  CommandStatusWrapper csw;
  csw.tag = in.le32();
  csw.data_residue = in.le32();
  csw.status = static_cast<BulkOnlyStatus>(in.u8());
  return csw;
}

}  // namespace periplex::usb::device

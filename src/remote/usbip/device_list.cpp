// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/device_list.hpp"

#include <fmt/format.h>
#include <utility>

namespace periplex::remote::usbip {

std::optional<std::expected<std::vector<Offer>, std::string>> DeviceList::receive(ByteView bytes) {
  inbox_.append(bytes);
  if (inbox_.size() < OperationHeader::kSize) return std::nullopt;
  ByteReader in(inbox_.view());
  const OperationHeader header = read_operation_header(in);
  if (!header.is(Operation::reply_device_list) || !header.version_is_known()) {
    return std::unexpected(std::string("the server does not speak USB/IP"));
  }
  if (header.status != 0) return std::unexpected(fmt::format("the server gives no list (status {})", header.status));
  const std::uint32_t count = in.be32();
  if (!in.ok()) return std::nullopt;
  if (count > kMostDevices) return std::unexpected(fmt::format("the server lists {} devices", count));
  std::vector<Offer> offers;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    Offer& offer = offers.emplace_back(read_device_record(in));
    for (unsigned j = 0; j < offer.record.num_interfaces && in.ok(); ++j) {
      offer.interfaces.push_back(read_interface_record(in));
    }
  }
  if (!in.ok()) return std::nullopt;
  return offers;
}

}  // namespace periplex::remote::usbip

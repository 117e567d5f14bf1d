// SPDX-License-Identifier: Apache-2.0
#include "storage/write_back.hpp"

#include <algorithm>

#include "storage/unit_probe.hpp"

namespace periplex::storage {
namespace {

constexpr std::uint8_t kCachingPage = 0x08;
constexpr std::uint8_t kAllPages = 0x3f;
constexpr std::uint8_t kIllegalRequest = 0x05;
constexpr std::size_t kPageSize = 20;  // SBC-3: 2 bytes and 18

bool is_ten_byte(const Cdb& cdb) {
  using enum usb::device::ScsiOpcode;
  return cdb.opcode() == mode_sense_10 || cdb.opcode() == mode_select_10;
}

Bytes caching_page() {
  return ByteWriter()
      .u8(kCachingPage)
      .u8(kPageSize - 2)
      .u8(std::to_integer<std::uint8_t>(kWriteCacheEnable))
      .zeros(17)
      .take();
}

/// A mode parameter header without block descriptors (SPC-4, "Mode parameter header formats").
Bytes header(bool ten_byte, bool write_protected) {
  const std::uint8_t device_specific = write_protected ? 0x80 : 0x00;
  ByteWriter out;
  if (ten_byte) {
    out.be16(0).u8(0).u8(device_specific).zeros(4);
  } else {
    out.u8(0).u8(0).u8(device_specific).u8(0);
  }
  return out.take();
}

/// MODE DATA LENGTH: what follows it.
std::size_t mode_data_length(ByteView data, bool ten_byte) {
  ByteReader in(data);
  return ten_byte ? in.be16() + std::size_t{2} : in.u8() + std::size_t{1};
}

void set_mode_data_length(Bytes& data, bool ten_byte, std::size_t length) {
  if (ten_byte) {
    data[0] = static_cast<std::byte>((length - 2) >> 8);
    data[1] = static_cast<std::byte>((length - 2) & 0xff);
  } else {
    data[0] = static_cast<std::byte>(length - 1);
  }
}

}  // namespace

void WriteBack::on_mode_sense(const Cdb& cdb, std::uint64_t room, Result& result) {
  const std::uint8_t page = cdb.u8(2) & 0x3f;
  const bool current = (cdb.u8(2) >> 6) == 0;
  const bool subpages = cdb.u8(3) != 0 && cdb.u8(3) != 0xff;
  if (!options_.enabled || switched_off_ || !current || subpages || result.outcome != Outcome::ended) return;
  if (page != kCachingPage && page != kAllPages) return;
  const bool ten_byte = is_ten_byte(cdb);
  const std::size_t header_size = ten_byte ? 8 : 4;
  Bytes data = result.data_in;
  if (!result.good()) {
    if (page != kCachingPage || summarize_sense(result.sense).key != kIllegalRequest) return;
    data = header(ten_byte, write_protected_);
    set_mode_data_length(data, ten_byte, header_size);
  }
  if (data.size() < header_size) return;
  auto at = find_write_cache(data, ten_byte);
  const std::size_t length = mode_data_length(data, ten_byte);
  const std::size_t limit = ten_byte ? 0xffff : 0xff;
  if (!at && length == data.size() && length + kPageSize <= limit) {
    const Bytes page_data = caching_page();
    at = data.size() + 2;
    data.insert(data.end(), page_data.begin(), page_data.end());
    set_mode_data_length(data, ten_byte, data.size());
  }
  if (!at) return;
  data[*at] |= kWriteCacheEnable;
  data.resize(std::min<std::uint64_t>(data.size(), room));
  told_ = told_ || *at < data.size();
  result.residue = static_cast<std::uint32_t>(room - data.size());
  result = {.data_in = std::move(data), .residue = result.residue};
}

void WriteBack::on_mode_selected(const Cdb& cdb, ByteView list) {
  const auto at = find_write_cache(list, is_ten_byte(cdb));
  if (at && *at < list.size()) switched_off_ = (list[*at] & kWriteCacheEnable) == std::byte{0};
}

}  // namespace periplex::storage

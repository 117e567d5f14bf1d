// SPDX-License-Identifier: Apache-2.0
#include "usb/device/scsi_mode.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace periplex::usb::device {
namespace {

constexpr std::uint8_t kWriteProtect = 0x80;  // WP
constexpr std::uint8_t kDpoFua = 0x10;        // DPOFUA: FUA is understood
constexpr std::uint8_t kWriteCacheEnable = 0x04;
constexpr std::uint8_t kAllSubpages = 0xff;
constexpr std::size_t kBlockDescriptorSize = 8;

enum class PageCode : std::uint8_t {
  error_recovery = 0x01,
  caching = 0x08,
  control = 0x0a,
  informational_exceptions = 0x1c,
  all = 0x3f,
};
constexpr std::array kPages = {PageCode::error_recovery, PageCode::caching, PageCode::control,
                               PageCode::informational_exceptions};

// PC field (SPC-4 table 168).
enum class PageControl : std::uint8_t { current = 0, changeable = 1, defaults = 2, saved = 3 };

bool is_ten_byte(const Cdb& cdb) {
  return cdb.opcode() == ScsiOpcode::mode_sense_10 || cdb.opcode() == ScsiOpcode::mode_select_10;
}

Bytes page_body(PageCode code, PageControl control, const ModeParameters& current) {
  const bool changeable = control == PageControl::changeable;
  ByteWriter out;
  switch (code) {
    case PageCode::error_recovery:
      out.zeros(10);
      break;
    case PageCode::caching: {
      const bool wce =
          changeable || (control == PageControl::defaults ? ModeParameters{}.write_cache : current.write_cache);
      out.u8(wce ? kWriteCacheEnable : 0).zeros(17);
      break;
    }
    case PageCode::control: {
      // Commands of one queue may be reordered freely (QUEUE ALGORITHM MODIFIER 1); no busy time-out is known.
      constexpr std::array<std::uint8_t, 10> kControl = {0x00, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
      if (changeable) {
        out.zeros(kControl.size());
      } else {
        out.bytes(std::as_bytes(std::span(kControl)));
      }
      break;
    }
    case PageCode::informational_exceptions:
      out.zeros(10);
      break;
    case PageCode::all:
      break;
  }
  return out.take();
}

void append_page(ByteWriter& out, PageCode code, PageControl control, const ModeParameters& current) {
  const Bytes body = page_body(code, control, current);
  out.u8(static_cast<std::uint8_t>(code)).u8(static_cast<std::uint8_t>(body.size())).bytes(body);
}

void append_block_descriptor(ByteWriter& out, const ModeFacts& facts) {
  // "Number of logical blocks" saturates (SBC-3, short LBA mode parameter block descriptor); who needs more asks READ
  // CAPACITY(16).
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  out.be32(static_cast<std::uint32_t>(std::min(facts.blocks, most))).be32(facts.block_size);
}

/// One page of a MODE SELECT list, `at` bytes into it.
std::expected<void, Sense> select_page(ByteView page, std::uint16_t at, ModeParameters& parameters) {
  const auto code = static_cast<PageCode>(std::to_integer<std::uint8_t>(page[0]) & 0x3f);
  if (std::ranges::find(kPages, code) == kPages.end()) return std::unexpected(sense::invalid_field_in_parameters(at));
  const Bytes now = page_body(code, PageControl::current, parameters);
  const Bytes mask = page_body(code, PageControl::changeable, parameters);
  const ByteView body = page.subspan(2);
  if (body.size() != now.size()) {
    return std::unexpected(sense::invalid_field_in_parameters(static_cast<std::uint16_t>(at + 1)));
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (((body[i] ^ now[i]) & ~mask[i]) != std::byte{0}) {
      return std::unexpected(sense::invalid_field_in_parameters(static_cast<std::uint16_t>(at + 2 + i)));
    }
  }
  if (code == PageCode::caching) {
    parameters.write_cache = (std::to_integer<std::uint8_t>(body[0]) & kWriteCacheEnable) != 0;
  }
  return {};
}

}  // namespace

std::expected<Bytes, Sense> mode_sense(const Cdb& cdb, const ModeParameters& current, const ModeFacts& facts) {
  const bool ten = is_ten_byte(cdb);
  const bool no_descriptors = cdb.bit(1, 3);  // DBD
  const auto control = static_cast<PageControl>(cdb.u8(2) >> 6);
  const auto wanted = static_cast<PageCode>(cdb.u8(2) & 0x3f);
  const std::uint8_t subpage = cdb.u8(3);
  if (control == PageControl::saved) return std::unexpected(sense::kSavingNotSupported);
  if (subpage != 0 && subpage != kAllSubpages) return std::unexpected(sense::invalid_field_in_cdb(3));

  ByteWriter rest;
  if (!no_descriptors) append_block_descriptor(rest, facts);
  bool found = false;
  for (const PageCode code : kPages) {
    if (wanted != PageCode::all && wanted != code) continue;
    append_page(rest, code, control, current);
    found = true;
  }
  if (!found) return std::unexpected(sense::invalid_field_in_cdb(2));

  // SPC-4, mode parameter header: the MODE DATA LENGTH does not count itself.
  const std::uint8_t medium = static_cast<std::uint8_t>((facts.write_protected ? kWriteProtect : 0) | kDpoFua);
  const std::uint8_t descriptors = no_descriptors ? 0 : kBlockDescriptorSize;
  ByteWriter out;
  if (ten) {
    out.be16(static_cast<std::uint16_t>(6 + rest.size())).u8(0).u8(medium).be16(0).be16(descriptors);
  } else {
    out.u8(static_cast<std::uint8_t>(3 + rest.size())).u8(0).u8(medium).u8(descriptors);
  }
  out.bytes(rest.view());
  return out.take();
}

std::expected<ModeParameters, Sense> mode_select(const Cdb& cdb, ByteView list, const ModeParameters& current) {
  if (list.empty()) return current;  // "shall not be considered as an error" (SPC-4, MODE SELECT)
  const bool ten = is_ten_byte(cdb);
  ByteReader in(list);
  in.skip(ten ? 6 : 3);
  const std::size_t descriptors = ten ? in.be16() : in.u8();
  // The block descriptor is taken as read: changing the block size is no matter for MODE SELECT here.
  in.skip(descriptors);
  if (!in.ok()) return std::unexpected(sense::kParameterListLengthError);

  ModeParameters parameters = current;
  while (in.remaining() > 0) {
    const auto at = static_cast<std::uint16_t>(list.size() - in.remaining());
    if (in.remaining() < 2) return std::unexpected(sense::kParameterListLengthError);
    const std::size_t size = 2u + std::to_integer<std::size_t>(in.rest()[1]);
    const ByteView page = in.take(size);
    if (!in.ok()) return std::unexpected(sense::kParameterListLengthError);
    if (const auto selected = select_page(page, at, parameters); !selected) return std::unexpected(selected.error());
  }
  return parameters;
}

}  // namespace periplex::usb::device

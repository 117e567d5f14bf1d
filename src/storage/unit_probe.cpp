// SPDX-License-Identifier: Apache-2.0
#include "storage/unit_probe.hpp"

#include <limits>
#include <utility>

namespace periplex::storage {
namespace {

constexpr std::uint32_t kInquiryRoom = 36;
constexpr std::uint8_t kModeRoom = 192;  // what other hosts ask for: some devices know no other
constexpr std::uint8_t kAllPages = 0x3f;
constexpr std::uint8_t kUnitAttention = 0x06;
constexpr std::uint8_t kCachingPage = 0x08;
constexpr unsigned kMaxAttempts = 5;  // there may be several unit attention conditions

}  // namespace

std::optional<std::size_t> find_write_cache(ByteView mode_data, bool ten_byte) {
  ByteReader in(mode_data);
  in.skip(ten_byte ? 6 : 3);
  const std::size_t descriptors = ten_byte ? in.be16() : in.u8();
  in.skip(descriptors);
  while (in.ok() && in.remaining() >= 3) {
    const auto at = mode_data.size() - in.remaining();
    const std::uint8_t code = in.u8();
    const bool subpage = (code & 0x40) != 0;  // SPF
    if (subpage) in.skip(1);
    const std::size_t length = subpage ? in.be16() : in.u8();
    if ((code & 0x7f) == kCachingPage && length >= 1) return at + 2;
    in.skip(length);
  }
  return std::nullopt;
}

UnitProbe::UnitProbe(std::uint8_t last_lun, Run run, Finished finished)
    : last_lun_(last_lun), run_(std::move(run)), finished_(std::move(finished)) {
  units_.emplace_back();
}

void UnitProbe::ask(Bytes cdb, std::uint32_t room, Step then) {
  Command command{.lun = static_cast<std::uint8_t>(units_.size() - 1), .cdb = std::move(cdb)};
  if (room > 0) command.data = {DataDirection::to_host, room};
  run_(std::move(command), [this, then](Result result) { (this->*then)(std::move(result)); });
}

void UnitProbe::inquire() {
  ask(ByteWriter().u8(0x12).zeros(3).u8(kInquiryRoom).u8(0).take(), kInquiryRoom, &UnitProbe::on_inquiry);
}

void UnitProbe::on_inquiry(Result result) {
  if (result.good()) units_.back().inquiry = std::move(result.data_in);
  attempts_ = 0;
  test_ready();
}

void UnitProbe::test_ready() {
  ask(ByteWriter().zeros(6).take(), 0, &UnitProbe::on_ready);
}

void UnitProbe::on_ready(Result result) {
  const bool attention = result.outcome == Outcome::ended && summarize_sense(result.sense).key == kUnitAttention;
  if (attention && ++attempts_ < kMaxAttempts) return test_ready();
  if (!result.good()) return next_unit();
  ask(ByteWriter().u8(0x25).zeros(9).take(), 8, &UnitProbe::on_capacity_10);
}

void UnitProbe::on_capacity_10(Result result) {
  ByteReader in(result.data_in);
  const std::uint32_t last = in.be32();
  const std::uint32_t size = in.be32();
  if (!result.good() || !in.ok()) return next_unit();
  if (last == std::numeric_limits<std::uint32_t>::max()) {
    return ask(ByteWriter().u8(0x9e).u8(0x10).zeros(8).be32(32).zeros(2).take(), 32, &UnitProbe::on_capacity_16);
  }
  units_.back().blocks = std::uint64_t{last} + 1;
  units_.back().block_size = size;
  ask_mode();
}

void UnitProbe::on_capacity_16(Result result) {
  ByteReader in(result.data_in);
  const std::uint64_t last = in.be64();
  const std::uint32_t size = in.be32();
  if (!result.good() || !in.ok()) return next_unit();
  units_.back().blocks = last + 1;
  units_.back().block_size = size;
  ask_mode();
}

void UnitProbe::ask_mode() {
  ask(ByteWriter().u8(0x1a).u8(0).u8(kAllPages).u8(0).u8(kModeRoom).u8(0).take(), kModeRoom, &UnitProbe::on_mode);
}

void UnitProbe::on_mode(Result result) {
  UnitFacts& unit = units_.back();
  if (result.good() && result.data_in.size() >= 4) {
    unit.write_protected = (result.data_in[2] & std::byte{0x80}) != std::byte{0};
    const auto cache = find_write_cache(result.data_in, false);
    unit.write_cache = cache && (result.data_in[*cache] & kWriteCacheEnable) != std::byte{0};
  }
  next_unit();
}

void UnitProbe::next_unit() {
  if (units_.size() > last_lun_) return finished_(std::move(units_));
  units_.emplace_back();
  inquire();
}

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#include "base/register_file.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex {

std::string Register::describe(std::uint64_t value) const {
  std::string text = fmt::format("{}={:#0{}x}", name_, value, bytes_ * 2 + 2);
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint64_t field_value = fields_[i].get(value);
    if (field_value != 0) text += fmt::format(" {}={:#x}", fields_[i].name, field_value);
  }
  return text;
}

/// The piece of an access that falls into one register (or into a gap, where `cell` is null).
struct RegisterFile::Part {
  RegisterCell* cell;
  unsigned first_byte;  // within the register
  std::size_t length;

  [[nodiscard]] unsigned shift() const { return first_byte * 8; }
  [[nodiscard]] std::uint64_t lanes() const {
    const std::uint64_t ones = length >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (length * 8)) - 1;
    return ones << shift();
  }
};

RegisterFile::RegisterFile(std::string_view layer, std::uint32_t size)
    : layer_(layer), size_(size), dwords_((size + 3) / 4) {}

RegisterCell& RegisterFile::add(const Register& declaration, std::uint32_t base) {
  return add(declaration, base, declaration.reset());
}

RegisterCell& RegisterFile::add(const Register& declaration, std::uint32_t base, std::uint64_t reset) {
  RegisterCell& cell = cells_.emplace_back(declaration, reset);
  const std::uint32_t start = base + declaration.offset();
  for (std::uint32_t at = start; at < start + declaration.bytes(); at += 4) {
    PERIPLEX_CHECK(at / 4 < dwords_.size() && dwords_[at / 4].cell == nullptr);
    dwords_[at / 4] = {&cell, start};
  }
  return cell;
}

RegisterFile::Part RegisterFile::part_at(std::uint64_t offset, std::size_t length) const {
  const std::uint64_t dword = offset / 4;
  const Place place = dword < dwords_.size() ? dwords_[dword] : Place{};
  if (place.cell == nullptr) return {nullptr, 0, std::min<std::size_t>(length, 4 - offset % 4)};
  const auto first = static_cast<unsigned>(offset - place.start);
  return {place.cell, first, std::min<std::size_t>(length, place.cell->declaration().bytes() - first)};
}

void RegisterFile::read(std::uint64_t offset, MutableByteView out) const {
  while (!out.empty()) {
    const Part part = part_at(offset, out.size());
    std::uint64_t value = 0;
    if (part.cell != nullptr) {
      const std::uint64_t whole = part.cell->on_read_ ? part.cell->on_read_() : part.cell->value_;
      if (trace::enabled) trace::line(layer_, "read  {:#06x} {}", offset, part.cell->declaration().describe(whole));
      value = whole >> part.shift();
    }
    std::memcpy(out.data(), &value, part.length);
    offset += part.length;
    out = out.subspan(part.length);
  }
}

void RegisterFile::write(std::uint64_t offset, ByteView in) {
  while (!in.empty()) {
    const Part part = part_at(offset, in.size());
    if (part.cell != nullptr) {
      std::uint64_t written = 0;
      std::memcpy(&written, in.data(), part.length);
      written <<= part.shift();
      RegisterCell& cell = *part.cell;
      const std::uint64_t old = cell.value_;
      if (trace::enabled) trace::line(layer_, "write {:#06x} {}", offset, cell.declaration().describe(written));
      cell.value_ = cell.declaration().merge(old, written, part.lanes());
      if (cell.on_write_) cell.on_write_({old, cell.value_, written, part.lanes()});
    }
    offset += part.length;
    in = in.subspan(part.length);
  }
}

}  // namespace periplex

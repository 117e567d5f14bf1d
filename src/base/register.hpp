// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace periplex {

/// What a write does to a field, in the words the manuals use.
enum class Access : std::uint8_t {
  RO,    ///< read only: writes change nothing
  RW,    ///< the written value is kept
  RW1C,  ///< writing 1 clears, writing 0 changes nothing
  RW1S,  ///< writing 1 sets, writing 0 changes nothing
};

/// Bits `hi`:`lo` of a register, as the manual prints them. Bits that no field names are reserved and read as reset.
struct Field {
  std::string_view name;
  unsigned hi = 0;
  unsigned lo = 0;
  Access access = Access::RO;

  [[nodiscard]] constexpr std::uint64_t mask() const {
    const unsigned width = hi - lo + 1;
    const std::uint64_t ones = width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
    return ones << lo;
  }
  [[nodiscard]] constexpr std::uint64_t get(std::uint64_t value) const { return (value & mask()) >> lo; }
  [[nodiscard]] constexpr bool test(std::uint64_t value) const { return (value & mask()) != 0; }
  /// `value` with this field replaced by `field_value` (excess bits are cut).
  [[nodiscard]] constexpr std::uint64_t set(std::uint64_t value, std::uint64_t field_value) const {
    return (value & ~mask()) | ((field_value << lo) & mask());
  }
};

[[nodiscard]] consteval Field bit(std::string_view name, unsigned at, Access access) {
  return {name, at, at, access};
}
[[nodiscard]] consteval Field bits(std::string_view name, unsigned hi, unsigned lo, Access access) {
  return {name, hi, lo, access};
}

/// One register of a manual, declared once: name, offset, width, reset value and fields.
///
/// What a read returns, what a write changes and what a trace prints all follow from this declaration. An array of
/// equal registers (one per port, say) is declared once too; the register file is told where each instance lies.
class Register {
 public:
  static constexpr std::size_t kMaxFields = 32;

  /// `offset` and `bytes` (4 or 8) as printed in the manual. Refuses fields that overlap or do not fit.
  consteval Register(std::string_view name, std::uint32_t offset, unsigned bytes, std::uint64_t reset,
                     std::initializer_list<Field> fields)
      : name_(name), offset_(offset), bytes_(bytes), reset_(reset) {
    if (bytes != 4 && bytes != 8) throw "a register has 4 or 8 bytes";
    if (offset % 4 != 0) throw "a register is dword aligned";
    std::uint64_t seen = 0;
    for (const Field& field : fields) {
      if (field.hi < field.lo || field.hi >= bytes * 8) throw "a field does not fit its register";
      if ((seen & field.mask()) != 0) throw "two fields overlap";
      seen |= field.mask();
      fields_[count_++] = field;
    }
    if (bytes == 4 && (reset >> 32) != 0) throw "the reset value does not fit";
  }

  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  [[nodiscard]] constexpr std::uint32_t offset() const { return offset_; }
  [[nodiscard]] constexpr unsigned bytes() const { return bytes_; }
  [[nodiscard]] constexpr std::uint64_t reset() const { return reset_; }

  /// All bits whose fields have `access`.
  [[nodiscard]] constexpr std::uint64_t mask(Access access) const {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (fields_[i].access == access) mask |= fields_[i].mask();
    }
    return mask;
  }

  /// The value after a write: `current`, changed by `written` in the bits of `lanes` as each field's access says.
  [[nodiscard]] constexpr std::uint64_t merge(std::uint64_t current, std::uint64_t written,
                                              std::uint64_t lanes = ~std::uint64_t{0}) const {
    const std::uint64_t rw = mask(Access::RW) & lanes;
    const std::uint64_t value = (current & ~rw) | (written & rw);
    return (value & ~(written & mask(Access::RW1C) & lanes)) | (written & mask(Access::RW1S) & lanes);
  }

  /// `USBCMD=0x00000005 R/S=1 INTE=1`: the name, the value and every field that is not zero.
  [[nodiscard]] std::string describe(std::uint64_t value) const;

 private:
  std::string_view name_;
  std::uint32_t offset_;
  unsigned bytes_;
  std::uint64_t reset_;
  std::array<Field, kMaxFields> fields_{};
  std::size_t count_ = 0;
};

}  // namespace periplex

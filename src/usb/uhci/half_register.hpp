// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/register_file.hpp"

namespace periplex::usb::uhci {

/// Where in its dword a 16-bit register stands.
enum class Half : std::uint8_t { lower, upper };

/// A 16-bit register of the manual: one half of a cell of the register file, with its fields numbered as printed.
class HalfRegister {
 public:
  HalfRegister(RegisterCell& dword, Half half) : dword_(&dword), shift_(half == Half::upper ? 16 : 0) {}

  [[nodiscard]] std::uint64_t value() const { return dword_->value() >> shift_ & 0xffff; }
  [[nodiscard]] std::uint64_t get(const Field& field) const { return field.get(value()); }
  [[nodiscard]] bool test(const Field& field) const { return field.test(value()); }
  void set(std::uint64_t value) {
    dword_->set((dword_->value() & ~(std::uint64_t{0xffff} << shift_)) | (value & 0xffff) << shift_);
  }
  void set(const Field& field, std::uint64_t field_value) { set(field.set(value(), field_value)); }

  /// The part of a guest's write to the dword that falls into this half; `lanes` are zero where none does.
  [[nodiscard]] RegisterWrite part_of(const RegisterWrite& write) const {
    return {write.old >> shift_ & 0xffff, write.value >> shift_ & 0xffff, write.written >> shift_ & 0xffff,
            write.lanes >> shift_ & 0xffff};
  }

 private:
  RegisterCell* dword_;
  unsigned shift_;
};

}  // namespace periplex::usb::uhci

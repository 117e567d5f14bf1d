// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/register.hpp"

namespace periplex {

/// What a guest's write did to a register.
struct RegisterWrite {
  std::uint64_t old;      ///< before the write
  std::uint64_t value;    ///< after it, merged as the declaration says (and stored already)
  std::uint64_t written;  ///< the bits as the guest wrote them (zero outside `lanes`)
  std::uint64_t lanes;    ///< which bits of the register the access covered

  /// Whether the guest wrote a 1 to (any bit of) `field`.
  [[nodiscard]] bool wrote_one(const Field& field) const { return field.test(written & lanes); }
};

/// One register in a register file: its declaration, its value, and the behaviour that hangs on it.
class RegisterCell {
 public:
  using OnWrite = std::function<void(const RegisterWrite&)>;
  using OnRead = std::function<std::uint64_t()>;

  RegisterCell(const Register& declaration, std::uint64_t reset)
      : declaration_(&declaration), value_(reset), reset_(reset) {}

  [[nodiscard]] const Register& declaration() const { return *declaration_; }
  [[nodiscard]] std::uint64_t value() const { return value_; }
  [[nodiscard]] std::uint64_t get(const Field& field) const { return field.get(value_); }
  [[nodiscard]] bool test(const Field& field) const { return field.test(value_); }

  /// The controller's own changes; they bypass access kinds and `on_write`.
  void set(std::uint64_t value) { value_ = value; }
  void set(const Field& field, std::uint64_t field_value) { value_ = field.set(value_, field_value); }
  void reset() { value_ = reset_; }
  /// Changes the value the register has now and after every reset (while a function is being put together).
  void set_reset(std::uint64_t value) { value_ = reset_ = value; }

  /// Called after a guest's write has been merged and stored.
  RegisterCell& on_write(OnWrite hook) {
    on_write_ = std::move(hook);
    return *this;
  }
  /// Replaces the stored value for the guest's reads (live counters).
  RegisterCell& on_read(OnRead hook) {
    on_read_ = std::move(hook);
    return *this;
  }

 private:
  friend class RegisterFile;
  const Register* declaration_;
  std::uint64_t value_;
  std::uint64_t reset_;
  OnWrite on_write_;
  OnRead on_read_;
};

/// A block of registers as a guest sees it.
///
/// Every width and offset is decided here, once: an access is cut at register boundaries; each register that it touches
/// sees one read or one write with the byte lanes covered (an 8-byte access to an 8-byte register is one write, two
/// halves are two). Where no register lies, reads give zero and writes are dropped.
class RegisterFile {
 public:
  /// `size` in bytes; `layer` names the block in traces.
  RegisterFile(std::string_view layer, std::uint32_t size);

  /// Adds an instance of `declaration` at `base + declaration.offset()`, with the declared reset value or `reset`.
  /// The reference stays valid as long as the file.
  RegisterCell& add(const Register& declaration, std::uint32_t base);
  RegisterCell& add(const Register& declaration, std::uint32_t base, std::uint64_t reset);

  void read(std::uint64_t offset, MutableByteView out) const;
  void write(std::uint64_t offset, ByteView in);

  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  struct Place {
    RegisterCell* cell = nullptr;
    std::uint32_t start = 0;  // offset of the cell's first byte in the file
  };
  struct Part;

  [[nodiscard]] Part part_at(std::uint64_t offset, std::size_t length) const;

  std::string_view layer_;
  std::uint32_t size_;
  std::deque<RegisterCell> cells_;
  std::vector<Place> dwords_;
};

}  // namespace periplex

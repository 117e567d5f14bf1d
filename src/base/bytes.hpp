// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace periplex {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little, "Periplex is written for little-endian hosts");

/// Views the characters of `text`, without a terminating NUL.
[[nodiscard]] ByteView as_bytes(std::string_view text);
/// Views `bytes` as characters.
[[nodiscard]] std::string_view as_text(ByteView bytes);

/// Lower-case hexadecimal, two digits a byte, separated by spaces (for traces and tests).
[[nodiscard]] std::string hex(ByteView bytes);

/// A cursor that reads fixed-width integers from bytes it does not own.
///
/// Failure is sticky: a read past the end gives 0, takes nothing, and `ok()` is false from then on, so a parser reads
/// all its fields first and asks once.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] ByteView rest() const { return rest_; }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

  std::uint8_t u8() { return read<std::uint8_t>(std::endian::little); }
  std::uint16_t le16() { return read<std::uint16_t>(std::endian::little); }
  std::uint32_t le32() { return read<std::uint32_t>(std::endian::little); }
  std::uint64_t le64() { return read<std::uint64_t>(std::endian::little); }
  std::uint16_t be16() { return read<std::uint16_t>(std::endian::big); }
  std::uint32_t be32() { return read<std::uint32_t>(std::endian::big); }
  std::uint64_t be64() { return read<std::uint64_t>(std::endian::big); }

  /// The next `count` bytes; empty on failure.
  ByteView take(std::size_t count);
  void skip(std::size_t count) { (void)take(count); }

 private:
  template <typename T>
  T read(std::endian order) {
    const ByteView bytes = take(sizeof(T));
    if (bytes.size() != sizeof(T)) return T{0};
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    if constexpr (sizeof(T) > 1) {
      if (order == std::endian::big) value = std::byteswap(value);
    }
    return value;
  }

  ByteView rest_;
  bool ok_ = true;
};

/// Appends fixed-width integers to a growing byte vector it owns.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value) { return append(value); }
  ByteWriter& le16(std::uint16_t value) { return append(value); }
  ByteWriter& le32(std::uint32_t value) { return append(value); }
  ByteWriter& le64(std::uint64_t value) { return append(value); }
  ByteWriter& be16(std::uint16_t value) { return append(std::byteswap(value)); }
  ByteWriter& be32(std::uint32_t value) { return append(std::byteswap(value)); }
  ByteWriter& be64(std::uint64_t value) { return append(std::byteswap(value)); }
  ByteWriter& bytes(ByteView view);
  ByteWriter& zeros(std::size_t count);
  /// `text` padded with spaces, or cut, to `width` characters (SCSI identity strings).
  ByteWriter& padded_text(std::string_view text, std::size_t width);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] ByteView view() const { return bytes_; }
  /// What was written; the writer is empty afterwards.
  [[nodiscard]] Bytes take() { return std::exchange(bytes_, {}); }
  /// Overwrites the 16-bit little-endian word at `offset`, which must have been written already.
  void patch_le16(std::size_t offset, std::uint16_t value);

 private:
  template <typename T>
  ByteWriter& append(T value) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), first, first + sizeof(T));
    return *this;
  }

  Bytes bytes_;
};

}  // namespace periplex

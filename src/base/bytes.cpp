// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.hpp"

namespace periplex {

ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return text;
}

ByteView ByteReader::take(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    return {};
  }
  const ByteView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

ByteWriter& ByteWriter::bytes(ByteView view) {
  bytes_.insert(bytes_.end(), view.begin(), view.end());
  return *this;
}

ByteWriter& ByteWriter::zeros(std::size_t count) {
  bytes_.resize(bytes_.size() + count);
  return *this;
}

ByteWriter& ByteWriter::padded_text(std::string_view text, std::size_t width) {
  const std::string_view cut = text.substr(0, width);
  bytes(as_bytes(cut));
  bytes_.resize(bytes_.size() + width - cut.size(), std::byte{' '});
  return *this;
}

void ByteWriter::patch_le16(std::size_t offset, std::uint16_t value) {
  PERIPLEX_CHECK(offset + sizeof value <= bytes_.size());
  std::memcpy(bytes_.data() + offset, &value, sizeof value);
}

}  // namespace periplex

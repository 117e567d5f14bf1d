// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "base/bytes.hpp"

namespace periplex::remote::usbredir {

/// The longest bulk transfer: what the longest chain of an xHCI driver holds. The document has no limit, the library's
/// is 128 MiB.
inline constexpr std::uint32_t kMaxBulkLength = 32u << 20;

/// Looks at the header of each message before libusbredirparser does.
///
/// The library (0.13) allocates what a header announces, up to 128 MiB, before anything of it is there; takes a length
/// past 2 GiB for a negative one; takes other messages before the Hello; and parses filter rules, which nobody here
/// needs. This lets none of that reach it. Rules are dropped.
class FrameGuard {
 public:
  /// Takes bytes of one message: its header whole, its body in pieces.
  using Pass = std::function<std::expected<void, std::string>(ByteView)>;
  explicit FrameGuard(Pass pass) : pass_(std::move(pass)) {}

  /// Whether headers have ids of 64 bits from the next message on; asked between messages.
  void set_wide_ids(bool wide) { wide_ids_ = wide; }

  [[nodiscard]] std::expected<void, std::string> receive(ByteView bytes);

 private:
  static constexpr std::size_t kNarrowHeader = 12;
  static constexpr std::size_t kWideHeader = 16;

  [[nodiscard]] std::expected<void, std::string> take_header(ByteView& bytes);
  [[nodiscard]] std::expected<void, std::string> take_body(ByteView& bytes);
  [[nodiscard]] std::expected<void, std::string> check(std::uint32_t type, std::uint32_t length);
  [[nodiscard]] std::size_t header_size() const { return wide_ids_ ? kWideHeader : kNarrowHeader; }

  Pass pass_;
  bool wide_ids_ = false;
  bool greeted_ = false;
  bool dropping_ = false;
  std::array<std::byte, kWideHeader> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t body_left_ = 0;
};

}  // namespace periplex::remote::usbredir

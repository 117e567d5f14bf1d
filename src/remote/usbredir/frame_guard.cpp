// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/frame_guard.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <usbredirproto.h>

namespace periplex::remote::usbredir {
namespace {

constexpr std::uint32_t kMaxHello = 1024;
constexpr std::uint32_t kMaxFilter = 64u << 10;
/// All lengths of such packets have 16 bits; more than their headers besides.
constexpr std::uint32_t kMaxPacket = (64u << 10) + 64;
/// The longest of the rest is `ep_info`.
constexpr std::uint32_t kMaxOther = 512;

std::uint32_t longest(std::uint32_t type) {
  switch (type) {
    case usb_redir_hello:
      return kMaxHello;
    case usb_redir_filter_filter:
      return kMaxFilter;
    case usb_redir_control_packet:
    case usb_redir_iso_packet:
    case usb_redir_interrupt_packet:
      return kMaxPacket;
    case usb_redir_bulk_packet:
    case usb_redir_buffered_bulk_packet:
      return kMaxBulkLength + 64;
    default:
      return kMaxOther;
  }
}

}  // namespace

std::expected<void, std::string> FrameGuard::receive(ByteView bytes) {
  while (!bytes.empty()) {
    const auto taken = body_left_ > 0 ? take_body(bytes) : take_header(bytes);
    if (!taken) return taken;
  }
  return {};
}

std::expected<void, std::string> FrameGuard::take_header(ByteView& bytes) {
  const std::size_t size = std::min(bytes.size(), header_size() - header_size_);
  std::ranges::copy(bytes.first(size), header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
  bytes = bytes.subspan(size);
  header_size_ += size;
  if (header_size_ < header_size()) return {};

  const ByteView header(header_.data(), header_size_);
  ByteReader in(header);
  const std::uint32_t type = in.le32();
  const std::uint32_t length = in.le32();
  if (auto checked = check(type, length); !checked) return checked;
  dropping_ = type == usb_redir_filter_filter;
  body_left_ = length;
  header_size_ = 0;
  return dropping_ ? std::expected<void, std::string>() : pass_(header);
}

std::expected<void, std::string> FrameGuard::take_body(ByteView& bytes) {
  const ByteView body = bytes.first(std::min<std::size_t>(bytes.size(), body_left_));
  bytes = bytes.subspan(body.size());
  body_left_ -= static_cast<std::uint32_t>(body.size());
  return dropping_ ? std::expected<void, std::string>() : pass_(body);
}

std::expected<void, std::string> FrameGuard::check(std::uint32_t type, std::uint32_t length) {
  if (!greeted_ && type != usb_redir_hello) {
    return std::unexpected("the other side does not begin with a usbredir hello");
  }
  if (greeted_ && type == usb_redir_hello) return std::unexpected("the other side says hello twice");
  greeted_ = true;
  if (length <= longest(type)) return {};
  return std::unexpected(
      fmt::format("a usbredir message of type {} has {} bytes, at most {} are allowed", type, length, longest(type)));
}

}  // namespace periplex::remote::usbredir

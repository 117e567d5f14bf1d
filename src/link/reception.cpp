// SPDX-License-Identifier: Apache-2.0
#include "link/reception.hpp"

#include "link/messages.hpp"

namespace periplex::link {

std::expected<std::optional<Hello>, Reason> Reception::receive(ByteView bytes) {
  reader_.feed(bytes);
  // Whoever speaks another protocol is told so at its first byte, not once it has sent what looks like a length.
  const ByteView seen = reader_.rest();
  if (!seen.empty() && FrameType(std::to_integer<std::uint8_t>(seen[0])) != FrameType::hello) {
    return std::unexpected(Reason::bad_magic);
  }
  const auto frame = reader_.next();
  if (!frame) return std::unexpected(frame.error());
  if (!*frame) return std::nullopt;
  if (((*frame)->header.flags & kMandatoryFlags) != 0) return std::unexpected(Reason::unknown_frame);
  const auto hello = Hello::parse((*frame)->payload);
  if (!hello) return std::unexpected(hello.error());
  return *hello;
}

Bytes refusal(Reason reason, std::string_view text) {
  return make_frame(FrameType::refuse, {}, Ending{.reason = reason, .text = std::string(text)}.payload());
}

}  // namespace periplex::link

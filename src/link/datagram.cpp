// SPDX-License-Identifier: Apache-2.0
#include "link/datagram.hpp"

#include <algorithm>

namespace periplex::link {

Bytes Datagram::bytes() const {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(type)).zeros(3);
  if (type == Type::piece) return out.le32(channel.value).le64(offset).le64(acknowledged).bytes(content).take();
  out.le32(type == Type::bind ? binding.way : 0).le64(number);
  if (type == Type::bind) out.le64(binding.session.value).bytes(binding.secret);
  return out.take();
}

std::optional<Datagram> Datagram::parse(ByteView bytes) {
  if (bytes.size() > kMaxSize) return std::nullopt;
  ByteReader in(bytes);
  Datagram datagram{.type = Type{in.u8()}};
  in.skip(3);
  const std::uint32_t word = in.le32();
  switch (datagram.type) {
    case Type::piece:
      datagram.channel = ChannelId(word);
      datagram.offset = in.le64();
      datagram.acknowledged = in.le64();
      datagram.content = in.rest();
      break;
    case Type::bind: {
      datagram.number = in.le64();
      datagram.binding = {.session = SessionId(in.le64()), .way = word};
      const ByteView secret = in.take(datagram.binding.secret.size());
      std::ranges::copy(secret, datagram.binding.secret.begin());
      break;
    }
    case Type::probe:
    case Type::answer:
      datagram.number = in.le64();
      break;
    default:
      return std::nullopt;
  }
  if (!in.ok()) return std::nullopt;
  return datagram;
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#include "attachment/hello.hpp"

#include <algorithm>

namespace periplex::attachment {
namespace {

constexpr std::uint32_t kMagic = 0x54'41'58'50;  // "PXAT"

InstanceId take_instance(ByteReader& in) {
  InstanceId id = kNoInstance;
  const ByteView bytes = in.take(id.size());
  std::ranges::copy(bytes, id.begin());
  return id;
}

}  // namespace

Bytes Hello::encode() const {
  return ByteWriter()
      .le32(kMagic)
      .le16(lowest_version)
      .le16(highest_version)
      .le32(capabilities)
      .le32(0)
      .bytes(own)
      .bytes(expected)
      .le64(received)
      .take();
}

std::optional<Hello> Hello::parse(ByteView body) {
  ByteReader in(body);
  Hello hello;
  const bool ours = in.le32() == kMagic;
  hello.lowest_version = in.le16();
  hello.highest_version = in.le16();
  hello.capabilities = in.le32();
  in.skip(4);
  hello.own = take_instance(in);
  hello.expected = take_instance(in);
  hello.received = in.le64();
  if (!in.ok() || !ours || body.size() > kMaxSize) return std::nullopt;
  if (hello.lowest_version > hello.highest_version || hello.own == kNoInstance) return std::nullopt;
  return hello;
}

std::optional<std::uint16_t> common_version(const Hello& one, const Hello& other) {
  const std::uint16_t highest = std::min(one.highest_version, other.highest_version);
  if (highest < one.lowest_version || highest < other.lowest_version) return std::nullopt;
  return highest;
}

}  // namespace periplex::attachment

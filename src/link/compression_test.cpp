// SPDX-License-Identifier: Apache-2.0
#include "link/compression.hpp"

#include <gtest/gtest.h>
#include <random>

#include "link/frame.hpp"

namespace periplex::link {
namespace {

Bytes noise(std::size_t size) {
  std::minstd_rand random(1);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 8);
  return bytes;
}

TEST(Compression, RestoresWhatItCompressed) {
  Compression compression;
  for (const std::size_t size : {Compression::kSmallest, std::size_t{4000}, kMaxPiece}) {
    Bytes piece(size, std::byte{'a'});
    piece[size / 2] = std::byte{'b'};
    const auto payload = compression.compress(piece);
    ASSERT_TRUE(payload) << size;
    EXPECT_LT(payload->size(), size / 2);
    EXPECT_EQ(compression.restore(*payload), piece);
  }
}

TEST(Compression, LeavesShortPiecesAndNoiseAlone) {
  Compression compression;
  EXPECT_FALSE(compression.compress(Bytes(Compression::kSmallest - 1)));
  EXPECT_FALSE(compression.compress(noise(kMaxPiece)));
}

TEST(Compression, RestoresNoDamagedPiece) {
  Compression compression;
  Bytes payload = *compression.compress(Bytes(1000, std::byte{'a'}));
  EXPECT_FALSE(compression.restore(ByteView(payload).first(payload.size() - 1)));
  Bytes longer = payload;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(compression.restore(longer));
  payload[0] = std::byte{1};  // another length
  EXPECT_FALSE(compression.restore(payload));
  EXPECT_FALSE(compression.restore({}));
}

TEST(CompressionGauge, SwitchesItselfOffAndOnAgain) {
  CompressionGauge gauge;
  const auto feed = [&](std::size_t compressed, int pieces) {
    int tried = 0;
    for (int i = 0; i < pieces; ++i) {
      if (!gauge.worth_trying()) continue;
      ++tried;
      gauge.tried(kMaxPiece, compressed);
    }
    return tried;
  };
  EXPECT_EQ(feed(kMaxPiece / 2, 1000), 1000);
  EXPECT_LT(feed(kMaxPiece, 10'000), 40);  // noise is hardly looked at
  EXPECT_TRUE(gauge.off());
  EXPECT_GT(feed(kMaxPiece / 2, 10'000), 5000);
  EXPECT_FALSE(gauge.off());
}

}  // namespace
}  // namespace periplex::link

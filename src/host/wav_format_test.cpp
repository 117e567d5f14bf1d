// SPDX-License-Identifier: Apache-2.0
#include "host/wav_format.hpp"

#include <gtest/gtest.h>

namespace periplex::host {
namespace {

/// A `fmt ` chunk of `size` bytes.
Bytes format(std::uint16_t tag, std::uint16_t channels, std::uint32_t rate, std::uint16_t bits,
             std::uint32_t size = 16) {
  ByteWriter out;
  const auto frame = static_cast<std::uint16_t>(channels * bits / 8);
  out.bytes(as_bytes("fmt ")).le32(size).le16(tag).le16(channels).le32(rate).le32(rate * frame).le16(frame).le16(bits);
  return out.take();
}

Bytes riff(std::initializer_list<Bytes> chunks) {
  ByteWriter out;
  out.bytes(as_bytes("RIFF")).le32(0).bytes(as_bytes("WAVE"));
  for (const Bytes& chunk : chunks) out.bytes(chunk);
  return out.take();
}

Bytes data(std::uint32_t claimed, std::size_t there) {
  return ByteWriter().bytes(as_bytes("data")).le32(claimed).zeros(there).take();
}

Bytes other_chunk(std::uint32_t size) {
  return ByteWriter().bytes(as_bytes("LIST")).le32(size).zeros(size + size % 2).take();
}

TEST(WavFormat, TheHeaderHasTheLayoutThatEveryProgramKnows) {
  EXPECT_EQ(hex(wav_header(48000, 0x100)),
            "52 49 46 46 24 01 00 00 57 41 56 45 66 6d 74 20 10 00 00 00 01 00 02 00 "
            "80 bb 00 00 00 ee 02 00 04 00 10 00 64 61 74 61 00 01 00 00");
  EXPECT_EQ(wav_header(44100, 0).size(), kWavHeaderSize);
}

TEST(WavFormat, WhatIsWrittenIsFoundAgain) {
  Bytes file = wav_header(44100, 400);
  file.resize(file.size() + 400);
  EXPECT_EQ(find_wav_data(file, file.size()), (WavLayout{44100, kWavHeaderSize, 400}));
}

TEST(WavFormat, TheLargestSizeStillFitsTheHeader) {
  const Bytes header = wav_header(48000, ~std::uint64_t{0});
  ByteReader in(header);
  in.skip(4);
  EXPECT_EQ(in.le32(), kWavMaxData + kWavHeaderSize - 8);
  EXPECT_EQ(kWavMaxData % 4, 0u);
}

TEST(WavFormat, OtherChunksMayStandBeforeTheSoundAndAreSkippedEvenWithOddLengths) {
  const Bytes file = riff({other_chunk(5), format(1, 2, 48000, 16), other_chunk(6), data(8, 8)});
  EXPECT_EQ(find_wav_data(file, file.size()), (WavLayout{48000, file.size() - 8, 8}));
}

TEST(WavFormat, SizesThatReachPastTheEndOfTheFileAreCutToWholeFrames) {
  const Bytes file = riff({format(1, 2, 48000, 16), data(0xffff'ffff, 11)});
  const auto found = find_wav_data(file, file.size());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, 8u);
}

TEST(WavFormat, TheExtensibleFormatIsTakenWhereItMeansPcm) {
  const auto extensible = [](std::uint16_t tag) {
    Bytes chunk = format(0xfffe, 2, 48000, 16, 40);
    const Bytes rest = ByteWriter().le16(22).le16(16).le32(3).le16(tag).zeros(14).take();
    chunk.insert(chunk.end(), rest.begin(), rest.end());
    return riff({chunk, data(4, 4)});
  };
  EXPECT_TRUE(find_wav_data(extensible(1), 1000));
  EXPECT_EQ(find_wav_data(extensible(3), 1000).error(), WavError::unsupported_format);
}

TEST(WavFormat, OtherKindsOfSoundAreRefused) {
  const auto error_of = [](const Bytes& chunk) {
    const auto found = find_wav_data(riff({chunk, data(4, 4)}), 1000);
    return found ? std::optional<WavError>() : found.error();
  };
  EXPECT_EQ(error_of(format(1, 1, 48000, 16)), WavError::unsupported_format) << "mono";
  EXPECT_EQ(error_of(format(1, 2, 48000, 24)), WavError::unsupported_format) << "24 bits";
  EXPECT_EQ(error_of(format(3, 2, 48000, 32)), WavError::unsupported_format) << "floating point";
  EXPECT_EQ(error_of(format(1, 2, 4000, 16)), WavError::unsupported_format) << "too slow";
  EXPECT_EQ(error_of(format(1, 2, 384000, 16)), WavError::unsupported_format) << "too fast";
  EXPECT_EQ(error_of(format(1, 2, 192000, 16)), std::nullopt);
}

TEST(WavFormat, WhatIsNoWavFileIsSaidToBeNone) {
  const auto error_of = [](const Bytes& file) { return find_wav_data(file, file.size()).error(); };
  EXPECT_EQ(error_of({}), WavError::not_wav);
  EXPECT_EQ(error_of(Bytes(100)), WavError::not_wav);
  EXPECT_EQ(error_of(riff({})), WavError::not_wav);
  EXPECT_EQ(error_of(riff({format(1, 2, 48000, 16)})), WavError::not_wav) << "no sound in it";
  EXPECT_EQ(error_of(riff({data(4, 4)})), WavError::not_wav) << "sound of which nothing is known";
}

}  // namespace
}  // namespace periplex::host

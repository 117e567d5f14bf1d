// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_volume.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::device {
namespace {

std::int16_t scaled(const AudioVolume& volume, std::int16_t sample) {
  Bytes pcm = ByteWriter().le16(static_cast<std::uint16_t>(sample)).take();
  volume.apply(pcm);
  return static_cast<std::int16_t>(ByteReader(pcm).le16());
}

AudioVolume at(int decibels) {
  AudioVolume volume;
  volume.set_volume(static_cast<std::int16_t>(decibels * 256));
  return volume;
}

TEST(AudioVolume, AtFullVolumeEverySamplePassesUnchanged) {
  const AudioVolume volume;
  EXPECT_TRUE(volume.is_transparent());
  for (int sample = -32768; sample <= 32767; sample += 255)
    EXPECT_EQ(scaled(volume, static_cast<std::int16_t>(sample)), sample);
}

TEST(AudioVolume, EachSixDecibelsHalve) {
  EXPECT_NEAR(scaled(at(-6), 20000), 20000 * 0.5012, 1);
  EXPECT_NEAR(scaled(at(-20), 20000), 2000, 1);
  EXPECT_NEAR(scaled(at(-60), -20000), -20, 1);
  EXPECT_NEAR(scaled(at(-1), -32768), -32768 * 0.89125, 1);
}

TEST(AudioVolume, MuteIsSilenceAndKeepsTheVolume) {
  AudioVolume volume = at(-6);
  volume.set_muted(true);
  EXPECT_EQ(scaled(volume, 20000), 0);
  volume.set_muted(false);
  EXPECT_EQ(volume.volume(), -6 * 256);
}

TEST(AudioVolume, VolumesBetweenTheStepsGoToTheNearestAndThoseOutsideToTheEnd) {
  AudioVolume volume;
  const auto set = [&](int value) {
    volume.set_volume(static_cast<std::int16_t>(value));
    return volume.volume();
  };
  EXPECT_EQ(set(-127), 0);
  EXPECT_EQ(set(-129), -256);
  EXPECT_EQ(set(-300), -256);
  EXPECT_EQ(set(1000), 0);
  EXPECT_EQ(set(AudioVolume::kMin), AudioVolume::kMin);
  EXPECT_EQ(set(AudioVolume::kMin - 1), AudioVolume::kMin);
  EXPECT_EQ(set(-32768), AudioVolume::kMin) << "on the wire: silence";
}

TEST(AudioVolume, AnOddByteAtTheEndIsLeftAlone) {
  Bytes pcm(3, std::byte{0x7f});
  at(-60).apply(pcm);
  EXPECT_EQ(pcm[2], std::byte{0x7f});
}

}  // namespace
}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_controls.hpp"

#include <gtest/gtest.h>

namespace periplex::usb::device {
namespace {

class AudioControlsTest : public ::testing::Test {
 protected:
  static std::string text(const ControlResult& result) { return result ? hex(*result) : "stall"; }
  static std::uint16_t unit(AudioEntity entity) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(entity) << 8);
  }
  static constexpr std::uint16_t kMute = 0x0100;
  static constexpr std::uint16_t kVolume = 0x0200;
  static constexpr std::uint16_t kFrequency = 0x0100;

  std::string get1(std::uint8_t request, std::uint16_t value, std::uint16_t index, std::uint8_t type = 0xa1) {
    return text(controls.answer_audio1({.request_type = type, .request = request, .value = value, .index = index}, {}));
  }
  std::string set1(std::uint16_t value, std::uint16_t index, const Bytes& data, std::uint8_t type = 0x21) {
    return text(controls.answer_audio1({.request_type = type, .request = 1, .value = value, .index = index}, data));
  }
  std::string get2(std::uint8_t request, std::uint16_t value, std::uint16_t index) {
    return text(controls.answer_audio2({.request_type = 0xa1, .request = request, .value = value, .index = index}, {}));
  }
  std::string set2(std::uint16_t value, std::uint16_t index, const Bytes& data, std::uint8_t request = 1) {
    return text(
        controls.answer_audio2({.request_type = 0x21, .request = request, .value = value, .index = index}, data));
  }
  static Bytes word(unsigned value) { return ByteWriter().le16(static_cast<std::uint16_t>(value)).take(); }

  AudioFunction function{.playback = true, .capture = true, .rates = {48000, 44100}, .interval = Microseconds(1000)};
  AudioControls controls{function};
  const std::uint16_t feature = unit(AudioEntity::playback_feature);
  const std::uint16_t clock = unit(AudioEntity::clock);
};

using Audio1Requests = AudioControlsTest;
using Audio2Requests = AudioControlsTest;

TEST_F(Audio1Requests, TheVolumeHasACurrentValueABottomATopAndAStep) {
  EXPECT_EQ(get1(0x81, kVolume, feature), "00 00");
  EXPECT_EQ(get1(0x82, kVolume, feature), "00 c4") << "-60 dB";
  EXPECT_EQ(get1(0x83, kVolume, feature), "00 00");
  EXPECT_EQ(get1(0x84, kVolume, feature), "00 01") << "1 dB";
  EXPECT_EQ(set1(kVolume, feature, word(0xf600)), "");
  EXPECT_EQ(get1(0x81, kVolume, feature), "00 f6");
  EXPECT_EQ(controls.settings(Direction::out)->volume.volume(), -10 * 256);
  EXPECT_EQ(controls.settings(Direction::in)->volume.volume(), 0) << "each direction has its own";
}

TEST_F(Audio1Requests, MuteIsOnOrOff) {
  EXPECT_EQ(get1(0x81, kMute, feature), "00");
  EXPECT_EQ(set1(kMute, feature, Bytes{std::byte{1}}), "");
  EXPECT_EQ(get1(0x81, kMute, feature), "01");
  EXPECT_EQ(get1(0x82, kMute, feature), "stall") << "no bottom";
}

TEST_F(Audio1Requests, EachEndpointHasItsSamplingFrequency) {
  EXPECT_EQ(get1(0x81, kFrequency, 0x01, 0xa2), "80 bb 00");
  EXPECT_EQ(get1(0x82, kFrequency, 0x01, 0xa2), "44 ac 00");
  EXPECT_EQ(get1(0x83, kFrequency, 0x01, 0xa2), "80 bb 00");
  EXPECT_EQ(set1(kFrequency, 0x81, ByteWriter().le16(44100).u8(0).take(), 0x22), "");
  EXPECT_EQ(get1(0x81, kFrequency, 0x81, 0xa2), "44 ac 00");
  EXPECT_EQ(get1(0x81, kFrequency, 0x01, 0xa2), "80 bb 00");
  EXPECT_EQ(get1(0x81, kFrequency, 0x02, 0xa2), "stall") << "no such endpoint";
}

TEST_F(Audio1Requests, AFrequencyThatItHasNotBecomesTheNearestOne) {
  const auto set = [&](std::uint32_t rate) {
    (void)set1(kFrequency, 0x01,
               ByteWriter().le16(static_cast<std::uint16_t>(rate)).u8(static_cast<std::uint8_t>(rate >> 16)).take(),
               0x22);
    return controls.settings(Direction::out)->rate;
  };
  EXPECT_EQ(set(8000), 44100u);
  EXPECT_EQ(set(47000), 48000u);
  EXPECT_EQ(set(192000), 48000u);
}

TEST_F(Audio1Requests, WhatIsNotThereIsAnsweredWithStall) {
  EXPECT_EQ(get1(0x81, kVolume, unit(AudioEntity::playback_input)), "stall") << "no feature unit";
  EXPECT_EQ(get1(0x81, kVolume, feature | 1), "stall") << "another interface";
  EXPECT_EQ(get1(0x81, kVolume | 1, feature), "stall") << "the left channel alone";
  EXPECT_EQ(get1(0x81, 0x0300, feature), "stall") << "bass";
  EXPECT_EQ(get1(0x85, kVolume, feature), "stall") << "memory";
  EXPECT_EQ(get1(0x01, kVolume, feature), "stall") << "a set that reads";
  EXPECT_EQ(get1(0x81, kVolume, feature, 0x21), "stall") << "a get that writes";
  EXPECT_EQ(get1(0x81, kVolume, feature, 0xa0), "stall") << "to the device";
  EXPECT_EQ(get1(0x81, 0x0200, 0x01, 0xa2), "stall") << "pitch";
}

TEST_F(Audio1Requests, DataThatIsTooShortChangesNothing) {
  EXPECT_EQ(set1(kVolume, feature, Bytes(1)), "stall");
  EXPECT_EQ(set1(kMute, feature, {}), "stall");
  EXPECT_EQ(set1(kFrequency, 0x01, Bytes(2), 0x22), "stall");
  EXPECT_EQ(get1(0x81, kFrequency, 0x01, 0xa2), "80 bb 00");
}

TEST_F(Audio2Requests, TheClockIsValidAndTellsItsRates) {
  EXPECT_EQ(get2(1, 0x0200, clock), "01");
  EXPECT_EQ(get2(1, kFrequency, clock), "80 bb 00 00");
  EXPECT_EQ(get2(2, kFrequency, clock),
            "02 00 44 ac 00 00 44 ac 00 00 00 00 00 00 80 bb 00 00 80 bb 00 00 00 00 00 00");
}

TEST_F(Audio2Requests, TheClockIsThatOfBothDirections) {
  EXPECT_EQ(set2(kFrequency, clock, ByteWriter().le32(44100).take()), "");
  EXPECT_EQ(get2(1, kFrequency, clock), "44 ac 00 00");
  EXPECT_EQ(controls.settings(Direction::out)->rate, 44100u);
  EXPECT_EQ(controls.settings(Direction::in)->rate, 44100u);
  EXPECT_EQ(set2(kFrequency, clock, ByteWriter().le32(96000).take()), "stall") << "a rate that it has not";
  EXPECT_EQ(set2(kFrequency, clock, Bytes(3)), "stall");
  EXPECT_EQ(set2(0x0200, clock, Bytes(1)), "stall") << "validity cannot be set";
}

TEST_F(Audio2Requests, VolumeAndMuteHaveACurrentValueAndVolumeARange) {
  EXPECT_EQ(get2(1, kVolume, feature), "00 00");
  EXPECT_EQ(get2(2, kVolume, feature), "01 00 00 c4 00 00 00 01");
  EXPECT_EQ(set2(kVolume, feature, word(0xff00)), "");
  EXPECT_EQ(get2(1, kVolume, feature), "00 ff");
  EXPECT_EQ(get2(1, kMute, feature), "00");
  EXPECT_EQ(set2(kMute, feature, Bytes{std::byte{1}}), "");
  EXPECT_EQ(get2(1, kMute, feature), "01");
}

TEST_F(Audio2Requests, WhatIsNotThereIsAnsweredWithStall) {
  EXPECT_EQ(get2(2, kMute, feature), "stall") << "mute has no range";
  EXPECT_EQ(set2(kVolume, feature, word(0), 2), "stall") << "ranges cannot be set";
  EXPECT_EQ(get2(1, kVolume | 2, feature), "stall") << "the right channel alone";
  EXPECT_EQ(get2(1, kVolume, unit(AudioEntity::capture_input)), "stall");
  EXPECT_EQ(get2(1, kVolume, feature | 1), "stall") << "another interface";
  EXPECT_EQ(get2(3, kVolume, feature), "stall") << "memory";
  EXPECT_EQ(set2(kVolume, feature, Bytes(1)), "stall");
}

TEST_F(AudioControlsTest, ADirectionThatIsNotThereHasNoControls) {
  const AudioFunction microphone{.playback = false, .capture = true, .rates = {16000}, .interval = Microseconds(1000)};
  AudioControls alone(microphone);
  const SetupPacket volume{.request_type = 0xa1, .request = 1, .value = kVolume, .index = feature};
  EXPECT_EQ(text(alone.answer_audio2(volume, {})), "stall");
  const SetupPacket rate{.request_type = 0xa1, .request = 1, .value = kFrequency, .index = clock};
  EXPECT_EQ(text(alone.answer_audio2(rate, {})), "80 3e 00 00");
  const SetupPacket endpoint{.request_type = 0xa2, .request = 0x81, .value = kFrequency, .index = 0x01};
  EXPECT_EQ(text(alone.answer_audio1(endpoint, {})), "stall");
}

}  // namespace
}  // namespace periplex::usb::device

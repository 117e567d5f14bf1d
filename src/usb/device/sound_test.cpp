// SPDX-License-Identifier: Apache-2.0
#include "usb/device/sound.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <span>

#include "usb/device/testing/sound_host.hpp"

namespace periplex::usb::device {
namespace {

using ::testing::ElementsAre;
using testing::SoundHost;

constexpr std::uint32_t kFrame = kPcmFrameBytes;

/// Frames whose words count up from `first`.
Bytes ramp(std::uint32_t first, std::uint32_t frames) {
  std::vector<std::uint32_t> words(frames);
  std::iota(words.begin(), words.end(), first);
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

SetupPacket set_volume(AudioEntity unit) {
  return {.request_type = 0x21,
          .request = 1,
          .value = 0x0200,
          .index = static_cast<std::uint16_t>(static_cast<unsigned>(unit) << 8),
          .length = 2};
}

struct Minute : ::testing::TestWithParam<Speed> {};

TEST_P(Minute, OfARampIsPlayedWithEverySampleExactlyOnce) {
  SoundHost host(GetParam());
  host.open();
  std::uint32_t next = 1;
  for (int transfer = 0; transfer < 7500; ++transfer, next += 8 * 48) {
    (void)host.isochronous(kAudioOut, std::vector<std::uint32_t>(8, 192), ramp(next, 8 * 48));
  }
  EXPECT_TRUE(host.sink->heard == ramp(1, 60 * 48000));
  EXPECT_EQ(host.device->state().playback->counters.frames, 60u * 48000);
  EXPECT_EQ(host.device->state().playback->counters.overflowed, 0u);
}

TEST_P(Minute, OfARampIsRecordedWithEverySampleExactlyOnce) {
  SoundHost host(GetParam());
  host.open();
  Bytes heard;
  for (int transfer = 0; transfer < 7500; ++transfer) {
    const Bytes some = host.record(8, 196);
    heard.insert(heard.end(), some.begin(), some.end());
  }
  EXPECT_TRUE(heard == ramp(1, 60 * 48000));
  EXPECT_EQ(host.device->state().capture->counters.frames, 60u * 48000);
  EXPECT_EQ(host.device->state().capture->counters.silent, 0u);
}

INSTANTIATE_TEST_SUITE_P(Sound, Minute, ::testing::Values(Speed::full, Speed::high, Speed::super),
                         [](const auto& speed) { return std::string(name(speed.param)); });

TEST(Sound, At44100EveryTenthPacketHasOneFrameMore) {
  SoundHost host(Speed::full, {.rates = {44100}});
  host.open();
  const auto answer = host.isochronous(kAudioIn, std::vector<std::uint32_t>(20, 180));
  std::vector<std::uint32_t> frames;
  for (const IsochronousPacket& packet : answer.packets) frames.push_back(packet.actual / kFrame);
  EXPECT_THAT(frames, ElementsAre(44, 44, 44, 44, 44, 44, 44, 44, 44, 45, 44, 44, 44, 44, 44, 44, 44, 44, 44, 45));
  EXPECT_EQ(answer.completion.actual, 882 * kFrame);
  EXPECT_EQ(host.record(980, 180).size(), (44100u - 882) * kFrame) << "a second has 44,100 frames";
}

TEST(Sound, AShorterIntervalHasFewerFrames) {
  SoundHost host(Speed::high, {.packet_interval = std::chrono::microseconds(125)});
  host.open();
  EXPECT_EQ(host.record(8, 28), ramp(1, 48));
  SoundHost odd(Speed::high, {.packet_interval = std::chrono::microseconds(400)});
  odd.open();
  EXPECT_EQ(odd.record(1, 100).size(), 12 * kFrame) << "250 µs: the bus knows no 400";
}

TEST(Sound, AFullSpeedDeviceHasOnePacketAFrameWhateverIsAskedFor) {
  SoundHost host(Speed::full, {.packet_interval = std::chrono::microseconds(125)});
  host.open();
  EXPECT_EQ(host.record(1, 196).size(), 48 * kFrame);
}

TEST(Sound, PacketsOfAnySizeAreTaken) {
  SoundHost host(Speed::full);
  host.open();
  (void)host.isochronous(kAudioOut, {0, 4, 196, 100, 0, 8}, ramp(1, 77));
  EXPECT_EQ(host.sink->heard, ramp(1, 77));
}

TEST(Sound, WhatIsNoWholeFrameIsDroppedAndCounted) {
  SoundHost host(Speed::full);
  host.open();
  (void)host.isochronous(kAudioOut, {7, 3, 4}, Bytes(14));
  EXPECT_EQ(host.sink->heard.size(), 8u);
  EXPECT_EQ(host.device->state().playback->counters.malformed, 6u);
}

TEST(Sound, WhatAPacketHasNoRoomForComesLater) {
  SoundHost host(Speed::full);
  host.open();
  EXPECT_EQ(host.record(1, 10), ramp(1, 2));
  EXPECT_EQ(host.record(1, 196), ramp(3, 48));
  EXPECT_TRUE(host.record(1, 0).empty());
  EXPECT_EQ(host.record(1, 196), ramp(51, 48));
}

TEST(Sound, WithoutDataTheGuestGetsSilenceOfTheSameLength) {
  SoundHost host(Speed::high);
  host.open();
  host.source->left = 50 * kFrame;
  Bytes expected = ramp(1, 50);
  expected.resize(96 * kFrame);
  EXPECT_EQ(host.record(2, 196), expected);
  EXPECT_EQ(host.device->state().capture->counters.frames, 50u);
  EXPECT_EQ(host.device->state().capture->counters.silent, 46u);
}

TEST(Sound, WhatTheSinkDoesNotTakeIsCounted) {
  SoundHost host(Speed::high);
  host.open();
  host.sink->room = 10 * kFrame;
  const auto answer = host.play(ramp(1, 48));
  EXPECT_EQ(answer.completion.status, Status::ok);
  EXPECT_EQ(answer.packets.at(0).actual, 192u) << "to the guest a sound card always takes everything";
  EXPECT_EQ(host.device->state().playback->counters.frames, 10u);
  EXPECT_EQ(host.device->state().playback->counters.overflowed, 38u);
  host.sink->lost_bytes = 4 * kFrame;
  EXPECT_EQ(host.device->state().playback->counters.frames, 6u);
  EXPECT_EQ(host.device->state().playback->counters.overflowed, 42u);
}

TEST(Sound, StreamsHaveAnEndpointInSettingOneOnly) {
  SoundHost host(Speed::full);
  host.configure();
  EXPECT_EQ(host.play(ramp(1, 48)).completion.status, Status::error);
  EXPECT_FALSE(host.device->state().playback->running);
  EXPECT_EQ(host.set_interface(1, 1), "");
  EXPECT_TRUE(host.device->state().playback->running);
  EXPECT_FALSE(host.device->state().capture->running);
  EXPECT_EQ(host.play(ramp(1, 48)).completion.status, Status::ok);
  EXPECT_EQ(host.set_interface(1, 0), "");
  EXPECT_EQ(host.play(ramp(1, 48)).completion.status, Status::error);
  EXPECT_EQ(host.set_interface(1, 2), "stall");
}

TEST(Sound, SinkAndSourceHearOfAStreamWhenSoundFlowsAndWhenItIsClosed) {
  SoundHost host(Speed::full);
  host.open();
  EXPECT_TRUE(host.sink->begun.empty()) << "opening a stream is not playing yet";
  (void)host.play(ramp(1, 48));
  (void)host.record(1, 196);
  EXPECT_THAT(host.sink->begun, ElementsAre(48000));
  EXPECT_THAT(host.source->begun, ElementsAre(48000));
  (void)host.set_interface(1, 0);
  (void)host.set_interface(1, 0);
  EXPECT_EQ(host.sink->ends, 1u);
  EXPECT_EQ(host.source->ends, 0u);
  host.device->reset();
  EXPECT_EQ(host.sink->ends, 1u);
  EXPECT_EQ(host.source->ends, 1u);
}

TEST(Sound, ARecordingThatBeginsAnewGoesOnWhereItWas) {
  SoundHost host(Speed::full, {.rates = {44100}});
  host.open();
  EXPECT_EQ(host.record(9, 180), ramp(1, 396));
  (void)host.set_interface(2, 0);
  (void)host.set_interface(2, 1);
  EXPECT_EQ(host.record(9, 180), ramp(397, 396)) << "but the intervals are counted afresh";
}

TEST(Sound, AnotherRateIsToldToTheSinkWithTheNextFrame) {
  SoundHost host(Speed::high, {.rates = {48000, 44100}});
  host.open();
  (void)host.play(ramp(1, 48));
  const SetupPacket set_rate{.request_type = 0x21, .request = 1, .value = 0x0100, .index = 0x0700, .length = 4};
  EXPECT_EQ(host.ask(set_rate, ByteWriter().le32(44100).take()), "");
  EXPECT_THAT(host.sink->begun, ElementsAre(48000));
  (void)host.play(ramp(49, 44));
  EXPECT_THAT(host.sink->begun, ElementsAre(48000, 44100));
  EXPECT_EQ(host.record(10, 196).size(), 441 * kFrame);
}

TEST(Sound, ASourceWithOneRateLeavesNoChoice) {
  SoundHost host(Speed::high, {.rates = {48000}}, true, true, 32000);
  host.open();
  EXPECT_EQ(host.record(1, 196).size(), 32 * kFrame);
  (void)host.play(ramp(1, 32));
  EXPECT_THAT(host.sink->begun, ElementsAre(32000));
}

TEST(Sound, VolumeAndMuteChangeWhatIsHeard) {
  SoundHost host(Speed::high);
  host.open();
  EXPECT_EQ(host.ask(set_volume(AudioEntity::playback_feature), ByteWriter().le16(0xfa00).take()), "") << "-6 dB";
  (void)host.play(ByteWriter().le16(1000).le16(static_cast<std::uint16_t>(-1000)).take());
  ByteReader heard(host.sink->heard);
  EXPECT_EQ(heard.le16(), 501);
  EXPECT_EQ(static_cast<std::int16_t>(heard.le16()), -501);
  SetupPacket mute = set_volume(AudioEntity::capture_feature);
  mute.value = 0x0100;
  mute.length = 1;
  EXPECT_EQ(host.ask(mute, Bytes{std::byte{1}}), "");
  EXPECT_EQ(host.record(1, 196), Bytes(192));
  EXPECT_EQ(host.device->state().playback->volume_db, -6.0);
  EXPECT_FALSE(host.device->state().playback->muted);
  EXPECT_TRUE(host.device->state().capture->muted);
  host.device->reset();
  EXPECT_FALSE(host.device->state().capture->muted) << "a reset sets it back";
  EXPECT_EQ(host.device->state().playback->volume_db, 0.0);
}

TEST(Sound, ADeviceMayHaveOneDirectionOnly) {
  for (const Speed speed : {Speed::full, Speed::high}) {
    SoundHost speaker(speed, {}, true, false);
    speaker.open();
    EXPECT_EQ(speaker.play(ramp(1, 48)).completion.status, Status::ok);
    EXPECT_EQ(speaker.set_interface(2, 1), "stall");
    EXPECT_FALSE(speaker.device->state().capture);
    SoundHost microphone(speed, {}, false, true);
    microphone.open();
    EXPECT_EQ(microphone.record(1, 196), ramp(1, 48));
    EXPECT_FALSE(microphone.device->state().playback);
  }
}

TEST(Sound, EachPacketOfATransferIsCutToWholeFramesByItself) {
  SoundHost host(Speed::high);
  host.open();
  const auto answer = host.isochronous(kAudioIn, std::vector<std::uint32_t>(8, 101));
  for (const IsochronousPacket& packet : answer.packets) EXPECT_EQ(packet.actual, 100u);
  EXPECT_EQ(answer.completion.actual, 800u);
}

TEST(Sound, IsochronousEndpointsCannotBeHalted) {
  SoundHost host(Speed::full);
  host.open();
  EXPECT_EQ(host.ask({.request_type = 0x02, .request = 3, .value = 0, .index = 0x01}), "stall");
  EXPECT_EQ(host.ask({.request_type = 0x02, .request = 1, .value = 0, .index = 0x81}), "");
  EXPECT_EQ(host.ask({.request_type = 0x82, .request = 0, .value = 0, .index = 0x81, .length = 2}), "00 00");
  EXPECT_EQ(host.play(ramp(1, 48)).completion.status, Status::ok);
}

TEST(Sound, TheTypesOfItsEndpointsAreKnownWhileTheyExist) {
  SoundHost host(Speed::full);
  EXPECT_EQ(host.device->endpoint_type(EndpointAddress()), TransferType::control);
  EXPECT_EQ(host.device->endpoint_type(kAudioIn), std::nullopt);
  host.open();
  EXPECT_EQ(host.device->endpoint_type(kAudioIn), TransferType::isochronous);
}

}  // namespace
}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
// The descriptors of a sound device, byte by byte in the order of the specifications' tables.
#include "usb/device/audio_descriptors.hpp"

#include <gtest/gtest.h>

#include "usb/descriptors.hpp"
#include "usb/device/testing/sound_host.hpp"

namespace periplex::usb::device {
namespace {

using testing::SoundHost;

Bytes configuration_bytes(SoundHost& host, std::uint8_t type = 2) {
  const auto value = static_cast<std::uint16_t>(type << 8);
  return host.control({.request_type = 0x80, .request = 6, .value = value, .length = 0xffff}).data;
}

ParsedConfiguration configuration(SoundHost& host, std::uint8_t type = 2) {
  return parse_configuration(configuration_bytes(host, type)).value();
}

/// The endpoint's own descriptor with what its class has added, as it stands in the configuration.
std::string endpoint_bytes(SoundHost& host, EndpointAddress address) {
  const Bytes all = configuration_bytes(host);
  std::string text;
  bool found = false;
  (void)for_each_descriptor(all, [&](const DescriptorView& each) {
    if (each.is(DescriptorType::endpoint)) found = each.bytes[2] == std::byte{address.value};
    if (found && (each.is(DescriptorType::endpoint) || each.type == kClassSpecificEndpoint)) {
      text += (text.empty() ? "" : " | ") + hex(each.bytes);
    }
  });
  return text;
}

TEST(Audio1Descriptors, TheControlInterfaceDescribesBothDirections) {
  SoundHost host(Speed::full);
  const auto parsed = configuration(host);
  const ParsedInterface& control = parsed.interfaces.at(0);
  EXPECT_EQ(control.descriptor.interface_class, 1);
  EXPECT_EQ(control.descriptor.interface_subclass, 1);
  EXPECT_EQ(control.descriptor.interface_protocol, 0);
  EXPECT_TRUE(control.endpoints.empty());
  EXPECT_EQ(hex(control.class_descriptors),
            "0a 24 01 00 01 48 00 02 01 02 "        // header: 1.00, 72 bytes, interfaces 1 and 2
            "0c 24 02 01 01 01 00 02 03 00 00 00 "  // terminal 1: USB streaming, left and right
            "0a 24 06 02 01 01 03 00 00 00 "        // unit 2 after 1: master mute and volume
            "09 24 03 03 01 03 00 02 00 "           // terminal 3 after 2: speaker
            "0c 24 02 04 01 02 00 02 03 00 00 00 "  // terminal 4: microphone
            "0a 24 06 05 04 01 03 00 00 00 "        // unit 5 after 4
            "09 24 03 06 01 01 00 05 00");          // terminal 6 after 5: USB streaming
  EXPECT_EQ(control.class_descriptors.size(), 0x48u);
}

TEST(Audio1Descriptors, AStreamHasNoBandwidthInSettingZeroAndPcmInSettingOne) {
  SoundHost host(Speed::full, {.rates = {48000, 44100}});
  const auto parsed = configuration(host);
  ASSERT_EQ(parsed.interfaces.size(), 5u);
  EXPECT_EQ(parsed.descriptor.num_interfaces, 3);
  for (const std::size_t at : {1u, 3u}) {
    const ParsedInterface& idle = parsed.interfaces[at];
    const ParsedInterface& active = parsed.interfaces[at + 1];
    EXPECT_EQ(idle.descriptor.number, at / 2 + 1);
    EXPECT_EQ(idle.descriptor.alternate_setting, 0);
    EXPECT_EQ(idle.descriptor.interface_subclass, 2);
    EXPECT_TRUE(idle.endpoints.empty());
    EXPECT_TRUE(idle.class_descriptors.empty());
    EXPECT_EQ(active.descriptor.number, at / 2 + 1);
    EXPECT_EQ(active.descriptor.alternate_setting, 1);
    EXPECT_EQ(active.endpoints.size(), 1u);
    EXPECT_EQ(hex(active.class_descriptors),
              std::string(at == 1 ? "07 24 01 01 01 01 00 " : "07 24 01 06 01 01 00 ") +  // terminal, delay, PCM
                  "0e 24 02 01 02 02 10 02 80 bb 00 44 ac 00 " +                          // stereo, 2 bytes, 16 bits
                  "07 25 01 01 00 00 00");  // the endpoint has a sampling frequency
  }
}

TEST(Audio1Descriptors, EndpointsAreIsochronousAndTwoBytesLonger) {
  SoundHost host(Speed::full);
  EXPECT_EQ(endpoint_bytes(host, kAudioOut), "09 05 01 09 c4 00 01 00 00 | 07 25 01 01 00 00 00") << "adaptive";
  EXPECT_EQ(endpoint_bytes(host, kAudioIn), "09 05 81 0d c4 00 01 00 00 | 07 25 01 01 00 00 00") << "synchronous";
}

TEST(Audio1Descriptors, TheDeviceIsOneWithoutAClassOfItsOwn) {
  SoundHost host(Speed::full);
  const auto device =
      parse_device(host.control({.request_type = 0x80, .request = 6, .value = 0x0100, .length = 18}).data).value();
  EXPECT_EQ(device.device_class, 0);
  EXPECT_EQ(device.device_protocol, 0);
}

TEST(Audio2Descriptors, TheFunctionIsAnnouncedByAnAssociation) {
  SoundHost host(Speed::high);
  const Bytes all = configuration_bytes(host);
  EXPECT_EQ(hex(ByteView(all).subspan(9, 8)), "08 0b 00 03 01 00 20 00");
  const auto device =
      parse_device(host.control({.request_type = 0x80, .request = 6, .value = 0x0100, .length = 18}).data).value();
  EXPECT_EQ(device.device_class, 0xef);
  EXPECT_EQ(device.device_subclass, 2);
  EXPECT_EQ(device.device_protocol, 1);
}

TEST(Audio2Descriptors, TheControlInterfaceDescribesClockAndBothDirections) {
  SoundHost host(Speed::high);
  const auto parsed = configuration(host);
  const ParsedInterface& control = parsed.interfaces.at(0);
  EXPECT_EQ(control.descriptor.interface_protocol, 0x20);
  EXPECT_EQ(hex(control.class_descriptors),
            "09 24 01 00 02 08 6f 00 00 "                          // header: 2.00, I/O box, 111 bytes
            "08 24 0a 07 07 07 00 00 "                             // clock 7: programmable, synchronous to frames
            "11 24 02 01 01 01 00 07 02 03 00 00 00 00 00 00 00 "  // terminal 1: USB streaming, clock 7
            "12 24 06 02 01 0f 00 00 00 00 00 00 00 00 00 00 00 00 "
            "0c 24 03 03 01 03 00 02 07 00 00 00 "                 // terminal 3 after 2: speaker
            "11 24 02 04 01 02 00 07 02 03 00 00 00 00 00 00 00 "  // terminal 4: microphone
            "12 24 06 05 04 0f 00 00 00 00 00 00 00 00 00 00 00 00 "
            "0c 24 03 06 01 01 00 05 07 00 00 00");  // terminal 6 after 5: USB streaming
  EXPECT_EQ(control.class_descriptors.size(), 0x6fu);
}

TEST(Audio2Descriptors, AStreamTellsItsTerminalAndFormat) {
  SoundHost host(Speed::high);
  const auto parsed = configuration(host);
  ASSERT_EQ(parsed.interfaces.size(), 5u);
  EXPECT_EQ(hex(parsed.interfaces[2].class_descriptors),
            "10 24 01 01 00 01 01 00 00 00 02 03 00 00 00 00 06 24 02 01 02 10 08 25 01 00 00 00 00 00");
  EXPECT_EQ(hex(parsed.interfaces[4].class_descriptors),
            "10 24 01 06 00 01 01 00 00 00 02 03 00 00 00 00 06 24 02 01 02 10 08 25 01 00 00 00 00 00");
}

TEST(Audio2Descriptors, EndpointsAskForOnePacketInEightMicroframes) {
  SoundHost host(Speed::high);
  EXPECT_EQ(endpoint_bytes(host, kAudioOut), "07 05 01 09 c4 00 04 | 08 25 01 00 00 00 00 00");
  EXPECT_EQ(endpoint_bytes(host, kAudioIn), "07 05 81 0d c4 00 04 | 08 25 01 00 00 00 00 00");
  SoundHost often(Speed::high, {.packet_interval = Microseconds(125)});
  EXPECT_EQ(endpoint_bytes(often, kAudioOut), "07 05 01 09 1c 00 01 | 08 25 01 00 00 00 00 00");
}

TEST(Audio2Descriptors, SuperSpeedEndpointsTellTheirBytesPerInterval) {
  SoundHost host(Speed::super);
  const auto parsed = configuration(host);
  const ParsedEndpoint& out = parsed.interfaces.at(2).endpoints.at(0);
  EXPECT_EQ(out.descriptor.max_packet_size, 196);
  EXPECT_EQ(out.descriptor.interval, 4);
  ASSERT_TRUE(out.companion);
  EXPECT_EQ(out.companion->bytes_per_interval, 196);
  EXPECT_EQ(out.companion->max_burst, 0);
}

TEST(Audio2Descriptors, AtTheOtherSpeedAPacketHoldsWhatAllPacketsOfAFrameDo) {
  SoundHost host(Speed::high, {.packet_interval = Microseconds(125)});
  const auto other = configuration(host, 7);
  const EndpointDescriptor& out = other.interfaces.at(2).endpoints.at(0).descriptor;
  EXPECT_EQ(out.max_packet_size, 8 * 28);
  EXPECT_EQ(out.interval, 1);
}

TEST(AudioDescriptors, PacketsHaveRoomForOneFrameMoreThanTheAverage) {
  const auto payload = [](std::uint32_t rate, std::chrono::microseconds interval) {
    return audio_endpoint({.playback = true, .capture = true, .rates = {8000, rate}, .interval = interval},
                          Direction::in)
        .payload;
  };
  EXPECT_EQ(payload(44100, Microseconds(1000)), 45 * 4);
  EXPECT_EQ(payload(44100, Microseconds(125)), 6 * 4);
  EXPECT_EQ(payload(192000, Microseconds(1000)), 193 * 4);
}

TEST(AudioDescriptors, ADeviceWithOneDirectionHasOneStreamingInterface) {
  SoundHost microphone(Speed::full, {}, false, true);
  const auto parsed = configuration(microphone);
  EXPECT_EQ(parsed.descriptor.num_interfaces, 2);
  EXPECT_EQ(hex(parsed.interfaces.at(0).class_descriptors),
            "09 24 01 00 01 28 00 01 01 0c 24 02 04 01 02 00 02 03 00 00 00 0a 24 06 05 04 01 03 00 00 00 "
            "09 24 03 06 01 01 00 05 00");
  EXPECT_EQ(parsed.interfaces.at(2).endpoints.at(0).descriptor.address, kAudioIn);
  SoundHost speaker(Speed::high, {}, true, false);
  const auto other = configuration(speaker);
  EXPECT_EQ(other.descriptor.num_interfaces, 2);
  EXPECT_EQ(other.interfaces.at(0).class_descriptors.size(), 9u + 8 + 17 + 18 + 12);
}

}  // namespace
}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
// USB Device Class Definition for Audio Devices, release 2.0, §4; Audio Data Formats 2.0 §2.3.1.6.
#include "usb/device/audio_descriptors.hpp"
#include "usb/device/audio_pcm.hpp"

namespace periplex::usb::device {
namespace {

constexpr std::uint16_t kVersion = 0x0200;            // bcdADC
constexpr std::uint8_t kProtocol = 0x20;              // IP_VERSION_02_00, AF_VERSION_02_00
constexpr std::uint8_t kUndefinedSubclass = 0x00;     // FUNCTION_SUBCLASS_UNDEFINED
constexpr std::uint8_t kCategoryIoBox = 0x08;         // I/O_BOX
constexpr std::uint8_t kClockSource = 0x0a;           // CLOCK_SOURCE
constexpr std::uint32_t kPcmFormats = 1;              // bmFormats: PCM
constexpr std::uint8_t kInternalProgrammable = 0x03;  // bmAttributes of a clock …
constexpr std::uint8_t kSynchronizedToFrames = 0x04;  // … D2
// bmControls: two bits each, 01 can be read, 11 can be read and set.
constexpr std::uint8_t kFrequencyAndValidity = 0x03 | 0x01 << 2;
constexpr std::uint32_t kMuteAndVolume = 0x03 | 0x03 << 2;

std::uint8_t id(AudioEntity entity) {
  return static_cast<std::uint8_t>(entity);
}

/// Table 4-6.
void clock_source(ByteWriter& out) {
  out.u8(8).u8(kClassSpecificInterface).u8(kClockSource).u8(id(AudioEntity::clock));
  out.u8(kInternalProgrammable | kSynchronizedToFrames).u8(kFrequencyAndValidity);
  out.u8(0).u8(0);  // bAssocTerminal, iClockSource
}

/// Table 4-9.
void input_terminal(ByteWriter& out, AudioEntity terminal, std::uint16_t type) {
  out.u8(17).u8(kClassSpecificInterface).u8(kInputTerminal).u8(id(terminal)).le16(type);
  out.u8(0).u8(id(AudioEntity::clock));  // bAssocTerminal, bCSourceID
  out.u8(kPcmChannels).le32(kFrontLeftAndRight).u8(0);
  out.le16(0).u8(0);  // bmControls, iTerminal
}

/// Table 4-10.
void output_terminal(ByteWriter& out, AudioEntity terminal, std::uint16_t type, AudioEntity source) {
  out.u8(12).u8(kClassSpecificInterface).u8(kOutputTerminal).u8(id(terminal)).le16(type);
  out.u8(0).u8(id(source)).u8(id(AudioEntity::clock));  // bAssocTerminal, bSourceID, bCSourceID
  out.le16(0).u8(0);                                    // bmControls, iTerminal
}

/// Table 4-13. The controls are those of the master channel; left and right have none of their own.
void feature_unit(ByteWriter& out, AudioEntity unit, AudioEntity source) {
  out.u8(6 + (kPcmChannels + 1) * 4).u8(kClassSpecificInterface).u8(kFeatureUnit).u8(id(unit)).u8(id(source));
  out.le32(kMuteAndVolume).le32(0).le32(0).u8(0);  // bmaControls, iFeature
}

/// Table 4-5 and all that belongs to it.
Bytes control_descriptors(const AudioFunction& function) {
  constexpr std::uint8_t kHeaderSize = 9;
  ByteWriter units;
  clock_source(units);
  if (function.playback) {
    input_terminal(units, AudioEntity::playback_input, kTerminalUsbStreaming);
    feature_unit(units, AudioEntity::playback_feature, AudioEntity::playback_input);
    output_terminal(units, AudioEntity::playback_output, kTerminalSpeaker, AudioEntity::playback_feature);
  }
  if (function.capture) {
    input_terminal(units, AudioEntity::capture_input, kTerminalMicrophone);
    feature_unit(units, AudioEntity::capture_feature, AudioEntity::capture_input);
    output_terminal(units, AudioEntity::capture_output, kTerminalUsbStreaming, AudioEntity::capture_feature);
  }
  ByteWriter out;
  out.u8(kHeaderSize).u8(kClassSpecificInterface).u8(kAudioHeader).le16(kVersion).u8(kCategoryIoBox);
  out.le16(static_cast<std::uint16_t>(kHeaderSize + units.size())).u8(0);  // bmControls
  return out.bytes(units.view()).take();
}

/// Table 4-27; Audio Data Formats 2.0 table 2-2.
Bytes streaming_descriptors(AudioEntity terminal) {
  ByteWriter out;
  out.u8(16).u8(kClassSpecificInterface).u8(kAudioStreamingGeneral).u8(id(terminal)).u8(0);  // bmControls
  out.u8(kFormatTypeI).le32(kPcmFormats).u8(kPcmChannels).le32(kFrontLeftAndRight).u8(0);    // iChannelNames
  out.u8(6).u8(kClassSpecificInterface).u8(kFormatType).u8(kFormatTypeI).u8(kPcmSampleBytes).u8(kPcmSampleBytes * 8);
  return out.take();
}

/// Tables 4-33 and 4-34.
EndpointDescription endpoint(const AudioFunction& function, Direction direction) {
  EndpointDescription endpoint = audio_endpoint(function, direction);
  ByteWriter general;
  general.u8(8).u8(kClassSpecificEndpoint).u8(kEndpointGeneral).u8(0).u8(0);  // bmAttributes, bmControls
  general.u8(0).le16(0);                                                      // bLockDelayUnits, wLockDelay
  endpoint.class_descriptors = general.take();
  return endpoint;
}

}  // namespace

AssociationDescription audio2_association(const AudioFunction& function) {
  return {.first_interface = kAudioControlInterface,
          .count = function.interfaces(),
          .function_class = kAudioClass,
          .function_subclass = kUndefinedSubclass,
          .function_protocol = kProtocol};
}

std::vector<InterfaceDescription> audio2_interfaces(const AudioFunction& function) {
  std::vector<InterfaceDescription> interfaces{{.number = kAudioControlInterface,
                                                .interface_class = kAudioClass,
                                                .interface_subclass = kAudioControlSubclass,
                                                .interface_protocol = kProtocol,
                                                .class_descriptors = control_descriptors(function)}};
  if (function.playback) {
    add_audio_streaming(interfaces, {.interface = function.playback_interface(),
                                     .protocol = kProtocol,
                                     .class_descriptors = streaming_descriptors(AudioEntity::playback_input),
                                     .endpoint = endpoint(function, Direction::out)});
  }
  if (function.capture) {
    add_audio_streaming(interfaces, {.interface = function.capture_interface(),
                                     .protocol = kProtocol,
                                     .class_descriptors = streaming_descriptors(AudioEntity::capture_output),
                                     .endpoint = endpoint(function, Direction::in)});
  }
  return interfaces;
}

}  // namespace periplex::usb::device

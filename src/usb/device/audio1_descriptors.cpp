// SPDX-License-Identifier: Apache-2.0
// USB Device Class Definition for Audio Devices, release 1.0, §4; Audio Data Formats 1.0 §2.2.5.
#include "usb/device/audio_descriptors.hpp"
#include "usb/device/audio_pcm.hpp"

namespace periplex::usb::device {
namespace {

constexpr std::uint16_t kVersion = 0x0100;         // bcdADC
constexpr std::uint8_t kNoProtocol = 0x00;         // bInterfaceProtocol
constexpr std::uint16_t kPcmFormat = 0x0001;       // wFormatTag
constexpr std::uint8_t kMuteAndVolume = 0x03;      // bmaControls: D0 and D1
constexpr std::uint8_t kSamplingFrequency = 0x01;  // bmAttributes of the endpoint: D0

std::uint8_t id(AudioEntity entity) {
  return static_cast<std::uint8_t>(entity);
}

/// Table 4-3.
void input_terminal(ByteWriter& out, AudioEntity terminal, std::uint16_t type) {
  out.u8(12).u8(kClassSpecificInterface).u8(kInputTerminal).u8(id(terminal)).le16(type);
  out.u8(0);                                                  // bAssocTerminal
  out.u8(kPcmChannels).le16(kFrontLeftAndRight).u8(0).u8(0);  // iChannelNames, iTerminal
}

/// Table 4-4.
void output_terminal(ByteWriter& out, AudioEntity terminal, std::uint16_t type, AudioEntity source) {
  out.u8(9).u8(kClassSpecificInterface).u8(kOutputTerminal).u8(id(terminal)).le16(type);
  out.u8(0).u8(id(source)).u8(0);  // bAssocTerminal, bSourceID, iTerminal
}

/// Table 4-7. The controls are those of the master channel; left and right have none of their own.
void feature_unit(ByteWriter& out, AudioEntity unit, AudioEntity source) {
  out.u8(7 + (kPcmChannels + 1)).u8(kClassSpecificInterface).u8(kFeatureUnit).u8(id(unit)).u8(id(source));
  out.u8(1).u8(kMuteAndVolume).u8(0).u8(0).u8(0);  // bControlSize, bmaControls, iFeature
}

/// Table 4-2 and all that belongs to it.
Bytes control_descriptors(const AudioFunction& function) {
  ByteWriter units;
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
  const auto streams = static_cast<std::uint8_t>(function.interfaces() - 1);
  const auto size = static_cast<std::uint8_t>(8 + streams);
  ByteWriter out;
  out.u8(size).u8(kClassSpecificInterface).u8(kAudioHeader).le16(kVersion);
  out.le16(static_cast<std::uint16_t>(size + units.size())).u8(streams);
  for (std::uint8_t number = 1; number <= streams; ++number) out.u8(number);  // baInterfaceNr
  return out.bytes(units.view()).take();
}

/// Table 4-19; Audio Data Formats 1.0 table 2-1.
Bytes streaming_descriptors(const AudioFunction& function, AudioEntity terminal) {
  ByteWriter out;
  out.u8(7).u8(kClassSpecificInterface).u8(kAudioStreamingGeneral).u8(id(terminal)).u8(1).le16(kPcmFormat);  // bDelay
  out.u8(static_cast<std::uint8_t>(8 + 3 * function.rates.size())).u8(kClassSpecificInterface).u8(kFormatType);
  out.u8(kFormatTypeI).u8(kPcmChannels).u8(kPcmSampleBytes).u8(kPcmSampleBytes * 8);
  out.u8(static_cast<std::uint8_t>(function.rates.size()));  // bSamFreqType: so many, one by one
  for (const std::uint32_t rate : function.rates) {
    out.le16(static_cast<std::uint16_t>(rate)).u8(static_cast<std::uint8_t>(rate >> 16));
  }
  return out.take();
}

/// Tables 4-20 and 4-21.
EndpointDescription endpoint(const AudioFunction& function, Direction direction) {
  EndpointDescription endpoint = audio_endpoint(function, direction);
  endpoint.extension = Bytes(2);  // bRefresh, bSynchAddress: no feedback
  endpoint.class_descriptors = ByteWriter()
                                   .u8(7)
                                   .u8(kClassSpecificEndpoint)
                                   .u8(kEndpointGeneral)
                                   .u8(kSamplingFrequency)
                                   .u8(0)    // bLockDelayUnits
                                   .le16(0)  // wLockDelay
                                   .take();
  return endpoint;
}

}  // namespace

std::vector<InterfaceDescription> audio1_interfaces(const AudioFunction& function) {
  std::vector<InterfaceDescription> interfaces{{.number = kAudioControlInterface,
                                                .interface_class = kAudioClass,
                                                .interface_subclass = kAudioControlSubclass,
                                                .interface_protocol = kNoProtocol,
                                                .class_descriptors = control_descriptors(function)}};
  if (function.playback) {
    add_audio_streaming(interfaces, {.interface = function.playback_interface(),
                                     .protocol = kNoProtocol,
                                     .class_descriptors = streaming_descriptors(function, AudioEntity::playback_input),
                                     .endpoint = endpoint(function, Direction::out)});
  }
  if (function.capture) {
    add_audio_streaming(interfaces, {.interface = function.capture_interface(),
                                     .protocol = kNoProtocol,
                                     .class_descriptors = streaming_descriptors(function, AudioEntity::capture_output),
                                     .endpoint = endpoint(function, Direction::in)});
  }
  return interfaces;
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "usb/endpoint.hpp"

/// How a sound device is built, whatever class version describes it (USB Audio 1.0 §3, USB Audio 2.0 §3):
///
///     playback:  USB streaming (1) ─▶ feature unit (2) ─▶ speaker (3)
///     capture:   microphone (4) ─▶ feature unit (5) ─▶ USB streaming (6)
///     clock source (7), USB Audio 2.0 only: of everything
namespace periplex::usb::device {

/// bUnitID, bTerminalID, bClockID.
enum class AudioEntity : std::uint8_t {
  playback_input = 1,
  playback_feature = 2,
  playback_output = 3,
  capture_input = 4,
  capture_feature = 5,
  capture_output = 6,
  clock = 7,
};

/// Interface 0 controls; those of the directions follow, playback first.
inline constexpr std::uint8_t kAudioControlInterface = 0;
inline constexpr EndpointAddress kAudioOut{1, Direction::out};
inline constexpr EndpointAddress kAudioIn{1, Direction::in};

/// What a sound device has.
struct AudioFunction {
  bool playback = false;
  bool capture = false;
  std::vector<std::uint32_t> rates;  ///< frames in a second
  Microseconds interval{};           ///< between two packets

  [[nodiscard]] std::uint8_t playback_interface() const { return 1; }
  [[nodiscard]] std::uint8_t capture_interface() const { return playback ? 2 : 1; }
  [[nodiscard]] std::uint8_t interfaces() const { return playback && capture ? 3 : 2; }
};

// Codes that both versions share (USB Audio 1.0 appendix A, USB Audio 2.0 appendix A, Terminal Types 1.0 and 2.0).
inline constexpr std::uint8_t kAudioClass = 0x01;
inline constexpr std::uint8_t kAudioControlSubclass = 0x01;
inline constexpr std::uint8_t kAudioStreamingSubclass = 0x02;
inline constexpr std::uint8_t kClassSpecificInterface = 0x24;  // CS_INTERFACE
inline constexpr std::uint8_t kClassSpecificEndpoint = 0x25;   // CS_ENDPOINT
inline constexpr std::uint8_t kAudioHeader = 0x01;             // bDescriptorSubtype: HEADER …
inline constexpr std::uint8_t kInputTerminal = 0x02;
inline constexpr std::uint8_t kOutputTerminal = 0x03;
inline constexpr std::uint8_t kFeatureUnit = 0x06;
inline constexpr std::uint8_t kAudioStreamingGeneral = 0x01;  // AS_GENERAL
inline constexpr std::uint8_t kFormatType = 0x02;             // FORMAT_TYPE
inline constexpr std::uint8_t kFormatTypeI = 0x01;            // FORMAT_TYPE_I
inline constexpr std::uint8_t kEndpointGeneral = 0x01;        // EP_GENERAL
inline constexpr std::uint16_t kTerminalUsbStreaming = 0x0101;
inline constexpr std::uint16_t kTerminalMicrophone = 0x0201;
inline constexpr std::uint16_t kTerminalSpeaker = 0x0301;
inline constexpr std::uint8_t kFrontLeftAndRight = 0x03;  // wChannelConfig, bmChannelConfig
inline constexpr std::uint8_t kMuteControl = 0x01;        // FU_MUTE_CONTROL
inline constexpr std::uint8_t kVolumeControl = 0x02;      // FU_VOLUME_CONTROL

}  // namespace periplex::usb::device

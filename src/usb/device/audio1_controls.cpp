// SPDX-License-Identifier: Apache-2.0
// USB Device Class Definition for Audio Devices, release 1.0, §5.2.
#include <algorithm>

#include "usb/device/audio_controls.hpp"

namespace periplex::usb::device {
namespace {

/// bRequest (table A-9).
constexpr std::uint8_t kSetCurrent = 0x01;
constexpr std::uint8_t kGetCurrent = 0x81;
constexpr std::uint8_t kGetMinimum = 0x82;
constexpr std::uint8_t kGetMaximum = 0x83;
constexpr std::uint8_t kGetResolution = 0x84;

constexpr std::uint8_t kSamplingFrequencyControl = 0x01;  // table A-19
constexpr std::size_t kFrequencySize = 3;

// bmRequestType.
constexpr std::uint8_t kToInterface = 0x21;
constexpr std::uint8_t kFromInterface = 0xa1;
constexpr std::uint8_t kToEndpoint = 0x22;
constexpr std::uint8_t kFromEndpoint = 0xa2;

/// wValue: the control, and the channel (0 is the master).
constexpr std::uint16_t control_of(std::uint8_t selector) {
  return static_cast<std::uint16_t>(selector << 8);
}

ControlResult word(std::int16_t value) {
  return ByteWriter().le16(static_cast<std::uint16_t>(value)).take();
}

ControlResult frequency(std::uint32_t rate) {
  return ByteWriter().le16(static_cast<std::uint16_t>(rate)).u8(static_cast<std::uint8_t>(rate >> 16)).take();
}

/// Whether the direction bit of bmRequestType says what bRequest says (bit 7 of both).
bool consistent(const SetupPacket& setup) {
  return ((setup.request_type ^ setup.request) & 0x80) == 0;
}

}  // namespace

ControlResult AudioControls::answer_audio1(const SetupPacket& setup, ByteView data) {
  if (!consistent(setup)) return kStall;
  if (setup.request_type == kToEndpoint || setup.request_type == kFromEndpoint) return audio1_frequency(setup, data);
  if (setup.request_type != kToInterface && setup.request_type != kFromInterface) return kStall;
  // wIndex: the entity, and the interface it belongs to.
  AudioSettings* const settings = of_feature_unit(static_cast<std::uint8_t>(setup.index >> 8));
  if (settings == nullptr || (setup.index & 0xff) != kAudioControlInterface) return kStall;
  return audio1_feature(settings->volume, setup, data);
}

// §5.2.2.4.3.1, §5.2.2.4.3.2.
ControlResult AudioControls::audio1_feature(AudioVolume& volume, const SetupPacket& setup, ByteView data) const {
  ByteReader in(data);
  if (setup.value == control_of(kMuteControl)) {
    if (setup.request == kGetCurrent) return Bytes{std::byte{volume.muted()}};
    const std::uint8_t muted = in.u8();
    if (setup.request != kSetCurrent || !in.ok()) return kStall;
    volume.set_muted(muted != 0);
    return Bytes{};
  }
  if (setup.value != control_of(kVolumeControl)) return kStall;
  switch (setup.request) {
    case kGetCurrent:
      return word(volume.volume());
    case kGetMinimum:
      return word(AudioVolume::kMin);
    case kGetMaximum:
      return word(AudioVolume::kMax);
    case kGetResolution:
      return word(AudioVolume::kResolution);
    case kSetCurrent: {
      const auto wanted = static_cast<std::int16_t>(in.le16());
      if (!in.ok()) return kStall;
      volume.set_volume(wanted);
      return Bytes{};
    }
    default:
      return kStall;
  }
}

// §5.2.3.2.3.1. "If the endpoint … only supports discrete sampling frequencies", another is "rounded".
ControlResult AudioControls::audio1_frequency(const SetupPacket& setup, ByteView data) {
  if (setup.value != control_of(kSamplingFrequencyControl)) return kStall;
  std::optional<AudioSettings>* chosen = nullptr;
  if (setup.index == kAudioOut.value) chosen = &playback_;
  if (setup.index == kAudioIn.value) chosen = &capture_;
  if (chosen == nullptr || !*chosen) return kStall;
  AudioSettings& settings = **chosen;
  switch (setup.request) {
    case kGetCurrent:
      return frequency(settings.rate);
    case kGetMinimum:
      return frequency(std::ranges::min(function_.rates));
    case kGetMaximum:
      return frequency(std::ranges::max(function_.rates));
    case kSetCurrent: {
      if (data.size() < kFrequencySize) return kStall;
      ByteReader in(data);
      const std::uint32_t low = in.le16();
      settings.rate = nearest_rate(low | static_cast<std::uint32_t>(in.u8()) << 16);
      return Bytes{};
    }
    default:
      return kStall;
  }
}

}  // namespace periplex::usb::device

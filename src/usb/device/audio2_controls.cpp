// SPDX-License-Identifier: Apache-2.0
// USB Device Class Definition for Audio Devices, release 2.0, §5.2.
#include <algorithm>

#include "usb/device/audio_controls.hpp"

namespace periplex::usb::device {
namespace {

/// bRequest (table A-14).
constexpr std::uint8_t kCurrent = 0x01;
constexpr std::uint8_t kRange = 0x02;

// Table A-17.
constexpr std::uint8_t kSamplingFrequencyControl = 0x01;
constexpr std::uint8_t kClockValidControl = 0x02;

// bmRequestType.
constexpr std::uint8_t kSet = 0x21;
constexpr std::uint8_t kGet = 0xa1;

/// wValue: the control, and the channel (0 is the master).
constexpr std::uint16_t control_of(std::uint8_t selector) {
  return static_cast<std::uint16_t>(selector << 8);
}

bool is_get(const SetupPacket& setup, std::uint8_t request) {
  return setup.request_type == kGet && setup.request == request;
}
bool is_set_current(const SetupPacket& setup) {
  return setup.request_type == kSet && setup.request == kCurrent;
}

}  // namespace

ControlResult AudioControls::answer_audio2(const SetupPacket& setup, ByteView data) {
  // wIndex: the entity, and the interface it belongs to.
  if ((setup.index & 0xff) != kAudioControlInterface) return kStall;
  const auto entity = static_cast<std::uint8_t>(setup.index >> 8);
  if (entity == static_cast<std::uint8_t>(AudioEntity::clock)) return audio2_clock(setup, data);
  AudioSettings* const settings = of_feature_unit(entity);
  return settings == nullptr ? ControlResult(kStall) : audio2_feature(settings->volume, setup, data);
}

// §5.2.5.7.1, §5.2.5.7.2.
ControlResult AudioControls::audio2_feature(AudioVolume& volume, const SetupPacket& setup, ByteView data) const {
  ByteReader in(data);
  if (setup.value == control_of(kMuteControl)) {
    if (is_get(setup, kCurrent)) return Bytes{std::byte{volume.muted()}};
    const std::uint8_t muted = in.u8();
    if (!is_set_current(setup) || !in.ok()) return kStall;
    volume.set_muted(muted != 0);
    return Bytes{};
  }
  if (setup.value != control_of(kVolumeControl)) return kStall;
  if (is_get(setup, kCurrent)) return ByteWriter().le16(static_cast<std::uint16_t>(volume.volume())).take();
  if (is_get(setup, kRange)) {
    // Table 5-5: one range of minimum, maximum and resolution.
    return ByteWriter()
        .le16(1)
        .le16(static_cast<std::uint16_t>(AudioVolume::kMin))
        .le16(static_cast<std::uint16_t>(AudioVolume::kMax))
        .le16(static_cast<std::uint16_t>(AudioVolume::kResolution))
        .take();
  }
  const auto wanted = static_cast<std::int16_t>(in.le16());
  if (!is_set_current(setup) || !in.ok()) return kStall;
  volume.set_volume(wanted);
  return Bytes{};
}

// §5.2.5.1.
ControlResult AudioControls::audio2_clock(const SetupPacket& setup, ByteView data) {
  if (setup.value == control_of(kSamplingFrequencyControl)) return audio2_frequency(setup, data);
  // The clock is the host's own frames: it is always valid (§5.2.5.1.2).
  if (setup.value == control_of(kClockValidControl) && is_get(setup, kCurrent)) return Bytes{std::byte{1}};
  return kStall;
}

// §5.2.5.1.1.
ControlResult AudioControls::audio2_frequency(const SetupPacket& setup, ByteView data) {
  if (is_get(setup, kCurrent)) return ByteWriter().le32((playback_ ? playback_ : capture_)->rate).take();
  if (is_get(setup, kRange)) {
    // Table 5-7: each rate is a range of its own.
    std::vector<std::uint32_t> rates = function_.rates;
    std::ranges::sort(rates);  // "the subranges must be ordered"
    ByteWriter out;
    out.le16(static_cast<std::uint16_t>(rates.size()));
    for (const std::uint32_t rate : rates) out.le32(rate).le32(rate).le32(0);
    return out.take();
  }
  ByteReader in(data);
  const std::uint32_t rate = in.le32();
  if (!is_set_current(setup) || !in.ok() || !has_rate(rate)) return kStall;
  if (playback_) playback_->rate = rate;
  if (capture_) capture_->rate = rate;
  return Bytes{};
}

}  // namespace periplex::usb::device

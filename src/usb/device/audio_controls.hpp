// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "usb/device/audio_entities.hpp"
#include "usb/device/audio_volume.hpp"
#include "usb/device/control_endpoint.hpp"

namespace periplex::usb::device {

/// What the guest has set for one direction.
struct AudioSettings {
  std::uint32_t rate = 0;  ///< frames in a second
  AudioVolume volume;
};

/// All that the guest can set with class requests, and the requests of both class versions.
///
/// Only the current value of a control can be set, and only of the master channel: what else the classes know is
/// answered with STALL, as they demand of controls that are not there.
class AudioControls {
 public:
  /// `function` must outlive it.
  explicit AudioControls(const AudioFunction& function);

  /// As after power-up: the first of the rates, 0 dB, not muted.
  void reset();

  /// Empty where the device has no such direction.
  [[nodiscard]] std::optional<AudioSettings>& settings(Direction direction) {
    return direction == Direction::out ? playback_ : capture_;
  }
  [[nodiscard]] const std::optional<AudioSettings>& settings(Direction direction) const {
    return direction == Direction::out ? playback_ : capture_;
  }

  /// A class request of USB Audio 1.0 (§5.2). Each endpoint has a sampling frequency of its own.
  [[nodiscard]] ControlResult answer_audio1(const SetupPacket& setup, ByteView data);
  /// A class request of USB Audio 2.0 (§5.2). The sampling frequency is the clock's, for both directions.
  [[nodiscard]] ControlResult answer_audio2(const SetupPacket& setup, ByteView data);

 private:
  [[nodiscard]] AudioSettings* of_feature_unit(std::uint8_t entity);
  [[nodiscard]] bool has_rate(std::uint32_t rate) const;
  [[nodiscard]] std::uint32_t nearest_rate(std::uint32_t wanted) const;

  [[nodiscard]] ControlResult audio1_feature(AudioVolume& volume, const SetupPacket& setup, ByteView data) const;
  [[nodiscard]] ControlResult audio1_frequency(const SetupPacket& setup, ByteView data);
  [[nodiscard]] ControlResult audio2_feature(AudioVolume& volume, const SetupPacket& setup, ByteView data) const;
  [[nodiscard]] ControlResult audio2_clock(const SetupPacket& setup, ByteView data);
  [[nodiscard]] ControlResult audio2_frequency(const SetupPacket& setup, ByteView data);

  const AudioFunction& function_;
  std::optional<AudioSettings> playback_;
  std::optional<AudioSettings> capture_;
};

}  // namespace periplex::usb::device

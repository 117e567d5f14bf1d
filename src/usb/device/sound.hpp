// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "usb/device/audio_controls.hpp"
#include "usb/device/audio_pcm.hpp"
#include "usb/device/audio_stream.hpp"
#include "usb/device/emulated_device.hpp"

namespace periplex::usb::device {

struct SoundOptions {
  std::string product = "USB Sound";
  std::string serial;
  /// What the guest may choose from, frames in a second; the first is the one it finds. A source that has one rate only
  /// leaves no choice: then this does not count.
  std::vector<std::uint32_t> rates{kPcmDefaultRate};
  /// Between two packets: 125, 250, 500 or 1000 µs. At full speed it is always 1000 µs.
  Microseconds packet_interval{1000};
};

/// What a list of devices says about one direction of a sound device.
struct SoundStreamState {
  bool running = false;    ///< the guest has opened it
  std::uint32_t rate = 0;  ///< frames in a second
  bool muted = false;
  double volume_db = 0;
  AudioCounters counters;
};
struct SoundState {
  std::optional<SoundStreamState> playback;  ///< empty: it has none
  std::optional<SoundStreamState> capture;
};

/// A sound card: 16 bits, stereo, with a volume control and a mute switch for each direction.
///
/// At full speed it is of USB Audio Device Class 1.0, above of 2.0, because that is what guests expect there. Each
/// direction is an interface with one isochronous endpoint, which exists in alternate setting 1 only. The guest's
/// controller is the only clock: the device plays what comes, and gives in each packet exactly the frames of one
/// interval, counted and never measured. So no frame is lost or repeated here, and no feedback endpoint is needed.
class Sound final : public EmulatedDevice {
 public:
  /// Without a sink it cannot play, without a source not record; one of them must be there. `speed` is not low. The
  /// rates are within `kPcmMinRate` and `kPcmMaxRate`, and there is at least one.
  Sound(const SoundOptions& options, Speed speed, std::unique_ptr<PcmSink> sink, std::unique_ptr<PcmSource> source,
        Scheduler& scheduler);

  [[nodiscard]] SoundState state() const;

 private:
  Sound(const SoundOptions& options, Speed speed, AudioFunction function, std::unique_ptr<PcmSink> sink,
        std::unique_ptr<PcmSource> source, Scheduler& scheduler);

  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override;
  void on_isochronous_out(EndpointAddress endpoint, ByteView data) override;
  std::size_t on_isochronous_in(EndpointAddress endpoint, MutableByteView room) override;
  void on_configured(std::uint8_t value) override;
  void on_interface_reset(std::uint8_t interface, std::uint8_t alternate_setting) override;
  void on_reset() override;
  void close_streams();

  const AudioFunction function_;
  AudioControls controls_;
  std::optional<AudioPlayback> playback_;
  std::optional<AudioCapture> capture_;
};

}  // namespace periplex::usb::device

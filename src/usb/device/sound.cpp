// SPDX-License-Identifier: Apache-2.0
#include "usb/device/sound.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "usb/device/audio_descriptors.hpp"
#include "usb/device/product_ids.hpp"

namespace periplex::usb::device {
namespace {

constexpr Microseconds kMicroframe{125};
constexpr Microseconds kFrame{1000};

/// The longest interval not above `wanted` that the bus knows.
Microseconds packet_interval(Microseconds wanted, Speed speed) {
  if (speed == Speed::full) return kFrame;
  const auto microframes = std::clamp(wanted, kMicroframe, kFrame) / kMicroframe;
  return kMicroframe * static_cast<Microseconds::rep>(std::bit_floor(static_cast<std::uint64_t>(microframes)));
}

AudioFunction function_of(const SoundOptions& options, Speed speed, const PcmSink* sink, const PcmSource* source) {
  const auto only_rate = source == nullptr ? std::nullopt : source->rate();
  return {.playback = sink != nullptr,
          .capture = source != nullptr,
          .rates = only_rate ? std::vector{*only_rate} : options.rates,
          .interval = packet_interval(options.packet_interval, speed)};
}

DeviceDescription describe(const SoundOptions& options, Speed speed, const AudioFunction& function) {
  DeviceDescription device{.vendor_id = kVendorId,
                           .product_id = kSoundProductId,
                           .manufacturer = std::string(kManufacturer),
                           .product = options.product,
                           .serial_number = options.serial};
  if (speed == Speed::full) {
    device.interfaces = audio1_interfaces(function);
  } else {
    device.interfaces = audio2_interfaces(function);
    device.associations = {audio2_association(function)};
  }
  return device;
}

SoundStreamState state_of(bool running, const AudioSettings& settings, const AudioCounters& counters) {
  return {.running = running,
          .rate = settings.rate,
          .muted = settings.volume.muted(),
          .volume_db = settings.volume.decibels(),
          .counters = counters};
}

}  // namespace

Sound::Sound(const SoundOptions& options, Speed speed, std::unique_ptr<PcmSink> sink, std::unique_ptr<PcmSource> source,
             Scheduler& scheduler)
    : Sound(options, speed, function_of(options, speed, sink.get(), source.get()), std::move(sink), std::move(source),
            scheduler) {}

Sound::Sound(const SoundOptions& options, Speed speed, AudioFunction function, std::unique_ptr<PcmSink> sink,
             std::unique_ptr<PcmSource> source, Scheduler& scheduler)
    : EmulatedDevice(describe(options, speed, function), speed, scheduler),
      function_(std::move(function)),
      controls_(function_) {
  PERIPLEX_CHECK(function_.playback || function_.capture);
  const auto& playback = controls_.settings(Direction::out);
  const auto& capture = controls_.settings(Direction::in);
  if (playback) playback_.emplace(std::move(sink), *playback);
  if (capture) capture_.emplace(std::move(source), *capture, function_.interval);
}

SoundState Sound::state() const {
  SoundState state;
  if (playback_) {
    const bool running = endpoint_type(kAudioOut).has_value();
    state.playback = state_of(running, *controls_.settings(Direction::out), playback_->counters());
  }
  if (capture_) {
    const bool running = endpoint_type(kAudioIn).has_value();
    state.capture = state_of(running, *controls_.settings(Direction::in), capture_->counters());
  }
  return state;
}

ControlResult Sound::on_class_request(const SetupPacket& setup, ByteView data) {
  if (setup.type() != RequestType::device_class) return kStall;
  return speed() == Speed::full ? controls_.answer_audio1(setup, data) : controls_.answer_audio2(setup, data);
}

void Sound::on_isochronous_out(EndpointAddress, ByteView data) {
  playback_->take(data);
}

std::size_t Sound::on_isochronous_in(EndpointAddress, MutableByteView room) {
  return capture_->fill(room);
}

void Sound::on_configured(std::uint8_t) {
  close_streams();
}

void Sound::on_interface_reset(std::uint8_t interface, std::uint8_t) {
  // Whatever the new setting is, the stream begins anew.
  if (playback_ && interface == function_.playback_interface()) playback_->close();
  if (capture_ && interface == function_.capture_interface()) capture_->close();
}

void Sound::on_reset() {
  close_streams();
  controls_.reset();
}

void Sound::close_streams() {
  if (playback_) playback_->close();
  if (capture_) capture_->close();
}

}  // namespace periplex::usb::device

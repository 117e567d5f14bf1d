// SPDX-License-Identifier: Apache-2.0
#include "usb/device/audio_stream.hpp"

#include <algorithm>
#include <utility>

namespace periplex::usb::device {
namespace {

constexpr std::uint64_t kMicrosecondsPerSecond = 1'000'000;

/// The whole frames at the start of `size` bytes.
std::size_t whole_frames(std::size_t size) {
  return size - size % kPcmFrameBytes;
}

}  // namespace

AudioPlayback::AudioPlayback(std::unique_ptr<PcmSink> sink, const AudioSettings& settings)
    : sink_(std::move(sink)), settings_(settings) {}

void AudioPlayback::take(ByteView packet) {
  ++counters_.packets;
  const ByteView frames = packet.first(whole_frames(packet.size()));
  counters_.malformed += packet.size() - frames.size();
  if (frames.empty()) return;
  if (rate_ != settings_.rate) sink_->begin(rate_ = settings_.rate);
  ByteView wanted = frames;
  if (!settings_.volume.is_transparent()) {
    scaled_.assign(frames.begin(), frames.end());
    settings_.volume.apply(scaled_);
    wanted = scaled_;
  }
  const std::size_t taken = whole_frames(std::min(sink_->write(wanted), wanted.size()));
  counters_.frames += taken / kPcmFrameBytes;
  counters_.overflowed += (wanted.size() - taken) / kPcmFrameBytes;
}

void AudioPlayback::close() {
  if (std::exchange(rate_, 0) != 0) sink_->end();
}

AudioCounters AudioPlayback::counters() const {
  AudioCounters counters = counters_;
  const std::uint64_t lost = std::min(sink_->lost() / kPcmFrameBytes, counters.frames);
  counters.frames -= lost;
  counters.overflowed += lost;
  return counters;
}

AudioCapture::AudioCapture(std::unique_ptr<PcmSource> source, const AudioSettings& settings, Microseconds interval)
    : source_(std::move(source)), settings_(settings), interval_(static_cast<std::uint64_t>(interval.count())) {}

std::size_t AudioCapture::fill(MutableByteView packet) {
  ++counters_.packets;
  if (rate_ != settings_.rate) {
    phase_ = 0;
    source_->begin(rate_ = settings_.rate);
  }
  const MutableByteView frames = packet.first(std::min(frames_due() * kPcmFrameBytes, whole_frames(packet.size())));
  if (frames.empty()) return 0;
  const std::size_t given = whole_frames(std::min(source_->read(frames), frames.size()));
  std::ranges::fill(frames.subspan(given), std::byte{0});
  settings_.volume.apply(frames.first(given));
  counters_.frames += given / kPcmFrameBytes;
  counters_.silent += (frames.size() - given) / kPcmFrameBytes;
  return frames.size();
}

void AudioCapture::close() {
  phase_ = 0;
  if (std::exchange(rate_, 0) != 0) source_->end();
}

std::size_t AudioCapture::frames_due() {
  phase_ += rate_ * interval_;
  const std::uint64_t frames = phase_ / kMicrosecondsPerSecond;
  phase_ %= kMicrosecondsPerSecond;
  return frames;
}

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "host/wav_format.hpp"

#include <algorithm>
#include <optional>

#include "usb/device/audio_pcm.hpp"

namespace periplex::host {
namespace {

using usb::device::kPcmChannels;
using usb::device::kPcmFrameBytes;
using usb::device::kPcmMaxRate;
using usb::device::kPcmMinRate;
using usb::device::kPcmSampleBytes;

constexpr std::uint32_t kFormatSize = 16;
constexpr std::uint16_t kFormatPcm = 0x0001;         // WAVE_FORMAT_PCM
constexpr std::uint16_t kFormatExtensible = 0xfffe;  // WAVE_FORMAT_EXTENSIBLE: the first word of a GUID says which
constexpr std::size_t kSubFormatOffset = 24;

/// The rate that a `fmt ` chunk tells, if its sound is of the one kind.
std::optional<std::uint32_t> parse_format(ByteView chunk) {
  ByteReader in(chunk);
  std::uint16_t tag = in.le16();
  const std::uint16_t channels = in.le16();
  const std::uint32_t rate = in.le32();
  in.skip(4);  // bytes in a second
  const std::uint16_t frame = in.le16();
  const std::uint16_t bits = in.le16();
  if (!in.ok()) return std::nullopt;
  if (tag == kFormatExtensible && chunk.size() >= kSubFormatOffset + 2) {
    tag = ByteReader(chunk.subspan(kSubFormatOffset)).le16();
  }
  const bool known = tag == kFormatPcm && channels == kPcmChannels && frame == kPcmFrameBytes &&
                     bits == kPcmSampleBytes * 8 && rate >= kPcmMinRate && rate <= kPcmMaxRate;
  return known ? std::optional(rate) : std::nullopt;
}

}  // namespace

Bytes wav_header(std::uint32_t rate, std::uint64_t data_size) {
  const auto size = static_cast<std::uint32_t>(std::min(data_size, kWavMaxData));
  ByteWriter out;
  out.bytes(as_bytes("RIFF")).le32(size + kWavHeaderSize - 8).bytes(as_bytes("WAVE"));
  out.bytes(as_bytes("fmt ")).le32(kFormatSize).le16(kFormatPcm).le16(kPcmChannels).le32(rate);
  out.le32(rate * kPcmFrameBytes).le16(kPcmFrameBytes).le16(kPcmSampleBytes * 8);
  out.bytes(as_bytes("data")).le32(size);
  return out.take();
}

std::expected<WavLayout, WavError> find_wav_data(ByteView start, std::uint64_t file_size) {
  ByteReader in(start);
  const ByteView riff = in.take(4);
  in.skip(4);
  const ByteView form = in.take(4);
  if (!in.ok() || as_text(riff) != "RIFF" || as_text(form) != "WAVE") return std::unexpected(WavError::not_wav);
  std::optional<std::uint32_t> rate;
  while (in.remaining() > 0) {
    const ByteView id = in.take(4);
    const std::uint64_t size = in.le32();
    if (!in.ok()) break;
    if (as_text(id) == "data") {
      if (!rate) break;
      const std::uint64_t offset = start.size() - in.remaining();
      const std::uint64_t there = std::min(size, file_size > offset ? file_size - offset : 0);
      return WavLayout{.rate = *rate, .offset = offset, .size = there - there % kPcmFrameBytes};
    }
    const ByteView body = in.take(size);
    if (!in.ok()) break;
    if (as_text(id) == "fmt ") {
      rate = parse_format(body);
      if (!rate) return std::unexpected(WavError::unsupported_format);
    }
    in.skip(size % 2);  // chunks begin at even offsets
  }
  return std::unexpected(WavError::not_wav);
}

}  // namespace periplex::host

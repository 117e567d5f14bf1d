// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>

#include "base/bytes.hpp"

/// WAV files as bytes (Multimedia Programming Interface and Data Specifications 1.0, "Waveform Audio File Format"),
/// with the one kind of sound that `usb/device/audio_pcm.hpp` knows.
namespace periplex::host {

inline constexpr std::uint32_t kWavHeaderSize = 44;
/// The sizes in the header have 32 bits. Whole frames.
inline constexpr std::uint64_t kWavMaxData = 0xffff'ffff - kWavHeaderSize - 3;

/// The start of a file whose sound has `rate` frames in a second and `data_size` bytes, at most `kWavMaxData`.
[[nodiscard]] Bytes wav_header(std::uint32_t rate, std::uint64_t data_size);

enum class WavError : std::uint8_t {
  not_wav,             ///< no RIFF file of the form WAVE, or without a description or data where they must be
  unsupported_format,  ///< not 16-bit PCM with two channels, or too slow or too fast
};

/// Where the sound is in a file.
struct WavLayout {
  std::uint32_t rate = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< whole frames

  friend bool operator==(const WavLayout&, const WavLayout&) = default;
};

/// How many bytes of a file `find_wav_data` wants to see: what stands before the sound must fit in here.
inline constexpr std::size_t kWavPrefix = std::size_t{64} << 10;

/// `start` is the start of a file with `file_size` bytes. Sizes that reach past its end are cut: programs that cannot
/// go back write such.
[[nodiscard]] std::expected<WavLayout, WavError> find_wav_data(ByteView start, std::uint64_t file_size);

}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
// The start of any file as a WAV file: what is found lies within the file and consists of whole frames.
#include <algorithm>

#include "base/check.hpp"
#include "host/wav_format.hpp"
#include "usb/device/audio_pcm.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  const ByteView file = std::as_bytes(std::span(data, size));
  const auto found = host::find_wav_data(file.first(std::min(size, host::kWavPrefix)), size);
  if (!found) return 0;
  PERIPLEX_CHECK(found->offset + found->size <= size);
  PERIPLEX_CHECK(found->size % usb::device::kPcmFrameBytes == 0);
  PERIPLEX_CHECK(found->rate >= usb::device::kPcmMinRate && found->rate <= usb::device::kPcmMaxRate);
  return 0;
}

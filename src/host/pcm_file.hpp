// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>

#include "host/io_pool.hpp"
#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/audio_pcm.hpp"

/// Sound to and from open descriptors; nothing is opened here. A regular file is a WAV file, a pipe or a socket carries
/// bare PCM (`usb/device/audio_pcm.hpp`). The loop never waits for either; only here, while a file is looked at.
namespace periplex::host {

enum class PcmFileError : std::uint8_t {
  wrong_kind,          ///< neither a regular file nor a pipe or socket
  wrong_access,        ///< not open for reading, or for writing, as is wanted
  unreadable,          ///< the start of the file cannot be read
  not_wav,             ///< a regular file that is no WAV file
  unsupported_format,  ///< a WAV file, but not 16-bit PCM with two channels and 8 to 192 kHz
};

/// Where the guest's sound goes. A regular file is emptied and begun anew as a WAV file.
[[nodiscard]] std::expected<std::unique_ptr<usb::device::PcmSink>, PcmFileError> make_pcm_sink(UniqueFd fd,
                                                                                               EventLoop& loop,
                                                                                               IoPool& pool);

/// What the guest records. After the end of a file, and while nobody writes to a pipe, there is silence.
[[nodiscard]] std::expected<std::unique_ptr<usb::device::PcmSource>, PcmFileError> make_pcm_source(UniqueFd fd,
                                                                                                   IoPool& pool);

}  // namespace periplex::host

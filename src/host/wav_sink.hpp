// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.hpp"
#include "host/io_pool.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/audio_pcm.hpp"

namespace periplex::host {

/// Writes what the guest plays to a WAV file, through the pool.
///
/// The header says after each write what is there. What has been played is in the file after one second at the latest,
/// and all of it when the guest closes the stream or when this is destroyed. When the disk is slower than the sound, up
/// to `kMaxBacklog` bytes wait for it; then frames are refused. A WAV file has one rate, that of its first frame:
/// frames of another are refused as well.
class WavSink final : public usb::device::PcmSink {
 public:
  static constexpr std::size_t kMaxBacklog = std::size_t{2} << 20;  // ten seconds at 48 kHz
  static constexpr std::size_t kChunk = std::size_t{64} << 10;

  /// `fd` can be written and is empty. Both others must outlive it.
  WavSink(UniqueFd fd, Scheduler& scheduler, IoPool& pool);
  ~WavSink() override;

  void begin(std::uint32_t rate) override;
  [[nodiscard]] std::size_t write(ByteView frames) override;
  void end() override { flush(); }
  [[nodiscard]] std::uint64_t lost() const override;

 private:
  class File;
  class Drain;

  void flush();

  IoPool& pool_;
  const std::shared_ptr<File> file_;  // lives until the last write has ended
  const std::unique_ptr<Timer> timer_;
  std::uint32_t rate_ = 0;  // of the file; 0 while nothing is in it
  bool refusing_ = false;
  std::uint64_t accepted_ = 0;
  Bytes buffer_;
};

}  // namespace periplex::host

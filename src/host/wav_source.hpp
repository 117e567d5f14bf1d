// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "host/io_pool.hpp"
#include "host/wav_format.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/audio_pcm.hpp"

namespace periplex::host {

/// Reads what the guest records from a WAV file, once, from its first frame to its last.
///
/// It reads ahead through the pool, from the beginning on, so that the sound is there when the guest asks for it.
class WavSource final : public usb::device::PcmSource {
 public:
  static constexpr std::size_t kAhead = std::size_t{1} << 20;  // five seconds at 48 kHz
  static constexpr std::size_t kChunk = std::size_t{64} << 10;

  /// `pool` must outlive it.
  WavSource(UniqueFd fd, const WavLayout& layout, IoPool& pool);
  ~WavSource() override;

  [[nodiscard]] std::optional<std::uint32_t> rate() const override { return rate_; }
  void begin(std::uint32_t) override {}
  [[nodiscard]] std::size_t read(MutableByteView room) override;
  void end() override {}

  /// Bytes that can be read at once.
  [[nodiscard]] std::size_t buffered() const { return buffered_; }

 private:
  class Read;

  void read_ahead();
  void arrived(Bytes bytes);

  const std::uint32_t rate_;
  const std::shared_ptr<UniqueFd> fd_;  // open until the last read has ended
  IoPool& pool_;
  std::uint64_t next_;  // offset in the file of what has not been asked for yet
  std::uint64_t end_;
  bool reading_ = false;
  std::deque<Bytes> chunks_;
  std::size_t taken_ = 0;  // of the first chunk
  std::size_t buffered_ = 0;
  const std::shared_ptr<WavSource*> self_;  // tells a read that ends whether this still exists
};

}  // namespace periplex::host

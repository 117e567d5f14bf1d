// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/audio_pcm.hpp"

/// Bare PCM through pipes and sockets. The descriptors do not block. What the two sides agree on as the rate is their
/// affair: nothing in the bytes says it.
namespace periplex::host {

/// What the guest plays, to whoever reads at the other end. While nobody does, up to `kMaxBacklog` bytes wait, then
/// frames are refused.
class PipeSink final : public usb::device::PcmSink {
 public:
  static constexpr std::size_t kMaxBacklog = std::size_t{256} << 10;

  PipeSink(UniqueFd fd, EventLoop& loop) : fd_(std::move(fd)), loop_(loop) {}

  void begin(std::uint32_t) override {}
  [[nodiscard]] std::size_t write(ByteView frames) override;
  void end() override {}
  [[nodiscard]] std::uint64_t lost() const override { return lost_; }

 private:
  /// How much of `bytes` the other end takes now; negative: it is gone.
  [[nodiscard]] std::ptrdiff_t send(ByteView bytes) const;
  void flush();

  const UniqueFd fd_;
  EventLoop& loop_;
  Bytes backlog_;
  std::uint64_t lost_ = 0;
  std::unique_ptr<EventLoop::Watch> watch_;  // while there is a backlog
};

/// What the guest records, from whoever writes at the other end. The pipe itself holds what the guest has not asked for
/// yet, and slows its writer down; so nothing needs to be watched, and an end without a writer costs nothing.
class PipeSource final : public usb::device::PcmSource {
 public:
  explicit PipeSource(UniqueFd fd) : fd_(std::move(fd)) {}

  void begin(std::uint32_t) override {}
  [[nodiscard]] std::size_t read(MutableByteView room) override;
  void end() override {}

 private:
  static constexpr std::size_t kBuffer = 4096;  // so that not every packet costs a system call

  [[nodiscard]] bool refill();

  const UniqueFd fd_;
  std::array<std::byte, kBuffer> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "loop/event_loop.hpp"
#include "machine/operations.hpp"
#include "usb/capture.hpp"

namespace periplex::machine {

/// A capture that is written to an open descriptor: a regular file, or a pipe or socket with a reader at its other end
/// (`wireshark -k -i FIFO`).
///
/// The loop never waits for the reader: up to `kMaxBacklog` bytes are kept for it, then packets are dropped and
/// counted. What happens in one turn of the loop is written with one call. Once writing has failed nothing more is
/// written.
class CaptureFile final : private usb::CaptureSink {
 public:
  static constexpr std::size_t kMaxBacklog = std::size_t{4} << 20;

  [[nodiscard]] static Outcome<std::unique_ptr<CaptureFile>> open(UniqueFd file, std::string name, EventLoop& loop);
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  /// Writes what a reader takes at once.
  ~CaptureFile() override;

  [[nodiscard]] usb::TransferObserver& observer() { return *capture_; }
  [[nodiscard]] CaptureView view() const;

 private:
  CaptureFile(UniqueFd file, std::string name, bool regular, EventLoop& loop);

  [[nodiscard]] bool write(Bytes block) override;
  void flush();
  void set_waiting(bool waiting);

  UniqueFd file_;
  std::string name_;
  const bool regular_;
  EventLoop& loop_;
  std::deque<Bytes> blocks_;
  std::size_t backlog_ = 0;
  std::size_t written_ = 0;  // of the first block
  bool failed_ = false;
  std::shared_ptr<CaptureFile*> flushing_;  // while a flush is due; tells it whether this still exists
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<usb::Capture> capture_;
};

}  // namespace periplex::machine

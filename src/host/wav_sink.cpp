// SPDX-License-Identifier: Apache-2.0
#include "host/wav_sink.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "base/log.hpp"
#include "host/file_io.hpp"
#include "host/wav_format.hpp"

namespace periplex::host {
namespace {

constexpr std::chrono::seconds kLongestWait{1};

[[nodiscard]] bool write_bytes(int fd, std::uint64_t offset, Bytes& bytes) {
  const MutableByteView span = bytes;
  return write_at(fd, offset, {&span, 1}).has_value();
}

}  // namespace

/// The file, and what is to be written to it. The loop adds, threads of the pool write, one at a time and in order.
class WavSink::File {
 public:
  explicit File(UniqueFd fd) : fd_(std::move(fd)) {}

  void add(Bytes bytes, std::uint32_t rate) {
    const std::lock_guard lock(mutex_);
    backlog_ += bytes.size();
    rate_ = rate;
    waiting_.push_back(std::move(bytes));
  }
  /// On a thread. Who comes while another writes has nothing to do: the other takes what has been added as well.
  void drain() {
    std::unique_lock lock(mutex_);
    if (std::exchange(writing_, true)) return;
    while (!waiting_.empty()) {
      Bytes bytes = std::move(waiting_.front());
      waiting_.pop_front();
      const bool failed = failed_;
      lock.unlock();
      const bool written = !failed && write(bytes);
      lock.lock();
      backlog_ -= bytes.size();
      if (!written) lost_ += bytes.size();
      failed_ = !written;
    }
    writing_ = false;
  }

  [[nodiscard]] std::size_t backlog() const {
    const std::lock_guard lock(mutex_);
    return backlog_;
  }
  [[nodiscard]] std::uint64_t lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }
  /// Whether writing has failed, told once.
  [[nodiscard]] bool failure_to_report() {
    const std::lock_guard lock(mutex_);
    return failed_ && !std::exchange(reported_, true);
  }

 private:
  /// Data first: the header never speaks of bytes that are not there.
  [[nodiscard]] bool write(Bytes& bytes) {
    if (!write_bytes(fd_.get(), kWavHeaderSize + written_, bytes)) return false;
    written_ += bytes.size();
    Bytes header = wav_header(rate_, written_);
    return write_bytes(fd_.get(), 0, header);
  }

  const UniqueFd fd_;
  // Of whoever writes.
  std::uint64_t written_ = 0;
  // Of all, under the mutex, which nobody holds while the disk works. (The rate does not change after the first add.)
  mutable std::mutex mutex_;
  std::uint32_t rate_ = 0;
  std::deque<Bytes> waiting_;
  std::size_t backlog_ = 0;
  std::uint64_t lost_ = 0;
  bool writing_ = false;
  bool failed_ = false;
  bool reported_ = false;
};

/// Its memory is not the pool's affair: the backlog bounds it, and what has been accepted must never wait until the
/// pool has gone.
class WavSink::Drain final : public IoPool::Work {
 public:
  explicit Drain(std::shared_ptr<File> file) : file_(std::move(file)) {}
  [[nodiscard]] std::size_t memory() const override { return 0; }
  [[nodiscard]] bool prepare() override { return true; }
  void perform() override { file_->drain(); }
  void finished() override {
    if (file_->failure_to_report()) log::error("host", "a WAV file cannot be written any more: the sound is lost");
  }

 private:
  const std::shared_ptr<File> file_;
};

WavSink::WavSink(UniqueFd fd, Scheduler& scheduler, IoPool& pool)
    : pool_(pool), file_(std::make_shared<File>(std::move(fd))), timer_(scheduler.make_timer([this] { flush(); })) {}

WavSink::~WavSink() {
  flush();
}

void WavSink::begin(std::uint32_t rate) {
  if (rate_ == 0) rate_ = rate;
  refusing_ = rate != rate_;
}

std::size_t WavSink::write(ByteView frames) {
  if (refusing_) return 0;
  const std::size_t held = file_->backlog() + buffer_.size();
  const std::size_t room = held < kMaxBacklog ? kMaxBacklog - held : 0;
  const std::uint64_t left = kWavMaxData - std::min(accepted_, kWavMaxData);
  std::size_t taken = std::min<std::uint64_t>({frames.size(), room, left});
  taken -= taken % usb::device::kPcmFrameBytes;
  buffer_.insert(buffer_.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(taken));
  accepted_ += taken;
  if (buffer_.size() >= kChunk) {
    flush();
  } else if (!buffer_.empty() && !timer_->armed()) {
    timer_->arm(kLongestWait);
  }
  return taken;
}

std::uint64_t WavSink::lost() const {
  return file_->lost();
}

void WavSink::flush() {
  timer_->cancel();
  if (buffer_.empty()) return;
  file_->add(std::exchange(buffer_, {}), rate_);
  pool_.submit(std::make_shared<Drain>(file_));
}

}  // namespace periplex::host

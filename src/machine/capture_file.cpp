// SPDX-License-Identifier: Apache-2.0
#include "machine/capture_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/log.hpp"

namespace periplex::machine {
namespace {

constexpr std::size_t kBlocksPerCall = 64;

Nanoseconds time_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

}  // namespace

Outcome<std::unique_ptr<CaptureFile>> CaptureFile::open(UniqueFd file, std::string name, EventLoop& loop) {
  struct stat status{};
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (::fstat(file.get(), &status) != 0 || flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
    return std::unexpected(Refusal{Reason::invalid, fmt::format("{} cannot be written", name),
                                   "open it for writing before it is handed over"});
  }
  const bool regular = S_ISREG(status.st_mode);
  if (!regular && !S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) {
    return std::unexpected(Refusal{Reason::invalid, fmt::format("{} is neither a file nor a pipe", name),
                                   "name a file, or a FIFO that Wireshark reads"});
  }
  if (!regular) (void)::fcntl(file.get(), F_SETFL, flags | O_NONBLOCK);
  return std::unique_ptr<CaptureFile>(new CaptureFile(std::move(file), std::move(name), regular, loop));
}

CaptureFile::CaptureFile(UniqueFd file, std::string name, bool regular, EventLoop& loop)
    : file_(std::move(file)), name_(std::move(name)), regular_(regular), loop_(loop) {
  // The loop's clock is CLOCK_MONOTONIC; packets carry the time of day.
  const Nanoseconds origin = time_of(CLOCK_REALTIME) - time_of(CLOCK_MONOTONIC);
  capture_ = std::make_unique<usb::Capture>(loop_, static_cast<usb::CaptureSink&>(*this),
                                            usb::Capture::Options{.clock_origin = origin});
}

CaptureFile::~CaptureFile() {
  capture_.reset();
  flush();
  if (flushing_) *flushing_ = nullptr;
}

CaptureView CaptureFile::view() const {
  return {name_, capture_->packets(), capture_->dropped()};
}

bool CaptureFile::write(Bytes block) {
  if (failed_ || backlog_ + block.size() > kMaxBacklog) return false;
  backlog_ += block.size();
  blocks_.push_back(std::move(block));
  if (flushing_ || watch_) return true;
  flushing_ = std::make_shared<CaptureFile*>(this);
  loop_.defer([flushing = flushing_] {
    if (*flushing == nullptr) return;
    (*flushing)->flushing_.reset();
    (*flushing)->flush();
  });
  return true;
}

void CaptureFile::flush() {
  while (!blocks_.empty()) {
    std::array<iovec, kBlocksPerCall> vectors{};
    int count = 0;
    for (auto block = blocks_.begin(); block != blocks_.end() && count < static_cast<int>(kBlocksPerCall); ++block) {
      const std::size_t skip = count == 0 ? written_ : 0;
      vectors[static_cast<std::size_t>(count++)] = {block->data() + skip, block->size() - skip};
    }
    const ssize_t done = ::writev(file_.get(), vectors.data(), count);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return set_waiting(true);
    if (done < 0) {
      log::error("machine", fmt::format("the capture to {} ends here: {}", name_, std::strerror(errno)));
      failed_ = true;
      blocks_.clear();
      backlog_ = 0;
      break;
    }
    backlog_ -= static_cast<std::size_t>(done);
    written_ += static_cast<std::size_t>(done);
    while (!blocks_.empty() && written_ >= blocks_.front().size()) {
      written_ -= blocks_.front().size();
      blocks_.pop_front();
    }
  }
  set_waiting(false);
}

void CaptureFile::set_waiting(bool waiting) {
  if (waiting == (watch_ != nullptr) || regular_) return;
  watch_ = waiting ? loop_.watch(file_.get(), EPOLLOUT, [this](std::uint32_t) { flush(); }) : nullptr;
}

}  // namespace periplex::machine

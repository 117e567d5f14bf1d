// SPDX-License-Identifier: Apache-2.0
#include "host/pcm_pipe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>

namespace periplex::host {

using usb::device::kPcmFrameBytes;

std::size_t PipeSink::write(ByteView frames) {
  std::size_t sent = 0;
  if (backlog_.empty()) {
    const std::ptrdiff_t taken = send(frames);
    if (taken < 0) return 0;
    sent = static_cast<std::size_t>(taken);
  }
  // A pipe may take half a frame: the other half always has room here, since the backlog is empty then.
  const std::size_t cut = (kPcmFrameBytes - sent % kPcmFrameBytes) % kPcmFrameBytes;
  const std::size_t room = kMaxBacklog - std::min(kMaxBacklog, backlog_.size() + cut);
  const std::size_t kept = std::min(frames.size() - sent, cut + room - room % kPcmFrameBytes);
  const ByteView rest = frames.subspan(sent, kept);
  backlog_.insert(backlog_.end(), rest.begin(), rest.end());
  if (!backlog_.empty() && watch_ == nullptr) {
    watch_ = loop_.watch(fd_.get(), EPOLLOUT, [this](std::uint32_t) { flush(); });
  }
  return sent + kept;
}

std::ptrdiff_t PipeSink::send(ByteView bytes) const {
  for (;;) {
    const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
    if (done >= 0) return done;
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return -1;
  }
}

void PipeSink::flush() {
  const std::ptrdiff_t taken = send(backlog_);
  if (taken < 0) {
    lost_ += backlog_.size();
    backlog_.clear();
  } else {
    backlog_.erase(backlog_.begin(), backlog_.begin() + taken);
  }
  if (backlog_.empty()) watch_ = nullptr;
}

std::size_t PipeSource::read(MutableByteView room) {
  std::size_t moved = 0;
  while (moved < room.size()) {
    const std::size_t whole = (end_ - begin_) / kPcmFrameBytes * kPcmFrameBytes;
    if (whole == 0) {
      if (!refill()) break;
      continue;
    }
    const std::size_t length = std::min(whole, room.size() - moved);
    std::memcpy(room.data() + moved, buffer_.data() + begin_, length);
    begin_ += length;
    moved += length;
  }
  return moved;
}

/// Less than a frame is left: it stays, until the rest of it comes.
bool PipeSource::refill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  for (;;) {
    const ssize_t done = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;  // nothing now, or nobody at the other end: perhaps later
    end_ += static_cast<std::size_t>(done);
    return true;
  }
}

}  // namespace periplex::host

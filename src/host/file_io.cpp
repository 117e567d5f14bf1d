// SPDX-License-Identifier: Apache-2.0
#include "host/file_io.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "usb/device/block_spans.hpp"

namespace periplex::host {
namespace {

using usb::device::BlockError;
using usb::device::BlockFailure;
using usb::device::BlockResult;
using usb::device::SpanCursor;

constexpr std::size_t kIovecs = 256;  // a megabyte of scattered pages in one call
constexpr std::size_t kCallLimit = std::size_t{1} << 30;

struct Iovecs {
  std::array<iovec, kIovecs> list;
  int count = 0;

  explicit Iovecs(SpanCursor& at) {
    for (const MutableByteView span : at.peek(kCallLimit)) {
      if (span.empty()) continue;
      list[static_cast<std::size_t>(count++)] = {.iov_base = span.data(), .iov_len = span.size()};
      if (count == static_cast<int>(kIovecs)) break;
    }
  }
};

BlockError error_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return BlockError::no_space;
    case EROFS:
    case EPERM:
    case EACCES:
    case EBADF:
      return BlockError::write_protected;
    case ENODEV:
    case ENXIO:
    case ESTALE:
    case EFAULT:
      return BlockError::gone;
    default:
      return BlockError::medium_error;
  }
}

BlockResult failure(int number, std::uint64_t offset) {
  return std::unexpected(BlockFailure{error_of(number), offset});
}

void fill_zero(SpanCursor& at) {
  for (const MutableByteView span : at.peek(at.remaining())) std::ranges::fill(span, std::byte{0});
}

}  // namespace

BlockResult read_at(int fd, std::uint64_t offset, std::span<const MutableByteView> spans) {
  SpanCursor at(spans);
  while (at.remaining() > 0) {
    const Iovecs iovecs(at);
    const ssize_t count = ::preadv(fd, iovecs.list.data(), iovecs.count, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno, offset);
    if (count == 0) {
      fill_zero(at);
      break;
    }
    at.advance(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

BlockResult write_at(int fd, std::uint64_t offset, std::span<const MutableByteView> spans) {
  SpanCursor at(spans);
  while (at.remaining() > 0) {
    const Iovecs iovecs(at);
    const ssize_t count = ::pwritev(fd, iovecs.list.data(), iovecs.count, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno, offset);
    if (count == 0) return failure(ENOSPC, offset);  // a block device that ends here
    at.advance(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

BlockResult sync_data(int fd) {
  while (::fdatasync(fd) != 0) {
    if (errno != EINTR) return failure(errno, 0);
  }
  return {};
}

BlockResult punch_hole(int fd, std::uint64_t offset, std::uint64_t length) {
  while (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(length)) != 0) {
    if (errno != EINTR) return failure(errno, offset);
  }
  return {};
}

CachedRead read_cached(int fd, std::uint64_t offset, std::span<const MutableByteView> spans) {
  SpanCursor at(spans);
  while (at.remaining() > 0) {
    const Iovecs iovecs(at);
    const ssize_t count = ::preadv2(fd, iovecs.list.data(), iovecs.count, static_cast<off_t>(offset), RWF_NOWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return {.bytes = at.consumed(), .supported = errno != EOPNOTSUPP};
    if (count == 0) {
      fill_zero(at);
      at.advance(at.remaining());
      break;
    }
    at.advance(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {.bytes = at.consumed(), .supported = true};
}

}  // namespace periplex::host

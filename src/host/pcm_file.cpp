// SPDX-License-Identifier: Apache-2.0
#include "host/pcm_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file_io.hpp"
#include "host/pcm_pipe.hpp"
#include "host/wav_format.hpp"
#include "host/wav_sink.hpp"
#include "host/wav_source.hpp"

namespace periplex::host {
namespace {

using usb::device::PcmSink;
using usb::device::PcmSource;

struct OpenFile {
  bool regular = false;
  std::uint64_t size = 0;
  int flags = 0;
};

/// `unwanted` is the access mode that does not do.
std::expected<OpenFile, PcmFileError> examine(int fd, int unwanted) {
  struct stat status{};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &status) != 0) return std::unexpected(PcmFileError::wrong_access);
  if ((flags & O_ACCMODE) == unwanted) return std::unexpected(PcmFileError::wrong_access);
  const bool regular = S_ISREG(status.st_mode);
  if (!regular && !S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) {
    return std::unexpected(PcmFileError::wrong_kind);
  }
  return OpenFile{.regular = regular, .size = static_cast<std::uint64_t>(status.st_size), .flags = flags};
}

[[nodiscard]] bool make_nonblocking(int fd, int flags) {
  return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

}  // namespace

std::expected<std::unique_ptr<PcmSink>, PcmFileError> make_pcm_sink(UniqueFd fd, EventLoop& loop, IoPool& pool) {
  const auto file = examine(fd.get(), O_RDONLY);
  if (!file) return std::unexpected(file.error());
  if (!file->regular) {
    if (!make_nonblocking(fd.get(), file->flags)) return std::unexpected(PcmFileError::wrong_access);
    return std::make_unique<PipeSink>(std::move(fd), loop);
  }
  // A file with O_APPEND takes no writes but at its end, and the header is not there.
  Bytes header = wav_header(usb::device::kPcmDefaultRate, 0);
  const MutableByteView span = header;
  if (::fcntl(fd.get(), F_SETFL, file->flags & ~O_APPEND) != 0 || ::ftruncate(fd.get(), 0) != 0 ||
      !write_at(fd.get(), 0, {&span, 1})) {
    return std::unexpected(PcmFileError::wrong_access);
  }
  return std::make_unique<WavSink>(std::move(fd), loop, pool);
}

std::expected<std::unique_ptr<PcmSource>, PcmFileError> make_pcm_source(UniqueFd fd, IoPool& pool) {
  const auto file = examine(fd.get(), O_WRONLY);
  if (!file) return std::unexpected(file.error());
  if (!file->regular) {
    if (!make_nonblocking(fd.get(), file->flags)) return std::unexpected(PcmFileError::wrong_access);
    return std::make_unique<PipeSource>(std::move(fd));
  }
  Bytes start(static_cast<std::size_t>(std::min<std::uint64_t>(file->size, kWavPrefix)));
  const MutableByteView span = start;
  if (!read_at(fd.get(), 0, {&span, 1})) return std::unexpected(PcmFileError::unreadable);
  const auto layout = find_wav_data(start, file->size);
  if (!layout) {
    return std::unexpected(layout.error() == WavError::not_wav ? PcmFileError::not_wav
                                                               : PcmFileError::unsupported_format);
  }
  return std::make_unique<WavSource>(std::move(fd), *layout, pool);
}

}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
#include "apps/open_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>

#include "control/arguments.hpp"

namespace periplex::apps {
namespace {

constexpr mode_t kCaptureMode = 0600;  // what is typed at a keyboard stands in it

OpenError open_error(const std::string& path, int error, std::string advice) {
  return {fmt::format("cannot open {}: {}", path, std::strerror(error)), std::move(advice)};
}

}  // namespace

std::expected<UniqueFd, OpenError> open_image(const std::string& path, bool readonly) {
  UniqueFd file(::open(path.c_str(), (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (file) return file;
  const int error = errno;
  switch (error) {
    case ENOENT:
      return std::unexpected(
          open_error(path, error, fmt::format("`truncate -s 1G {}` makes an empty disk", control::shell_quoted(path))));
    case EACCES:
    case EPERM:
    case EROFS:
      return std::unexpected(open_error(path, error,
                                        readonly ? "see its owner and mode, and those of its directory"
                                                 : "see its owner and mode, or add readonly=true"));
    case EISDIR:
      return std::unexpected(open_error(path, error, "name a raw disk image or a block device"));
    default:
      return std::unexpected(open_error(path, error, "see whether the path is right"));
  }
}

std::expected<UniqueFd, OpenError> open_capture(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kCaptureMode));
  if (!file) {
    return std::unexpected(open_error(path, errno, "name a file in a directory that you may write to"));
  }
  return file;
}

}  // namespace periplex::apps

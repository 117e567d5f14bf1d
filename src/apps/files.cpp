// SPDX-License-Identifier: Apache-2.0
#include "apps/files.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "loop/unique_fd.hpp"

namespace periplex::apps {
namespace {

constexpr std::size_t kMaxSize = std::size_t{1} << 20;
constexpr mode_t kRights = 0777;

std::unexpected<std::string> failure(const std::string& path, const char* what) {
  return std::unexpected(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(descriptor, content.data(), content.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::expected<std::optional<std::string>, std::string> read_small_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return failure(path, "cannot open it");
  std::string content;
  std::array<char, 4096> part;
  while (content.size() <= kMaxSize) {
    const ssize_t count = ::read(file.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(path, "cannot read it");
    if (count == 0) return content;
    content.append(part.data(), static_cast<std::size_t>(count));
  }
  return std::unexpected(fmt::format("{}: it is too long", path));
}

std::expected<void, std::string> replace_file(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".new";
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return failure(temporary, "cannot remove it");
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return failure(temporary, "cannot create it");
  if (::fchmod(file.get(), mode) != 0) return failure(temporary, "cannot set its mode");
  if (!write_all(file.get(), content) || ::fsync(file.get()) != 0) return failure(temporary, "cannot write it");
  file.reset();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failure(path, "cannot replace it");
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const UniqueFd above(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!above || ::fsync(above.get()) != 0) return failure(directory, "cannot make it durable");
  return {};
}

std::expected<void, std::string> make_own_directory(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return std::unexpected(fmt::format("{}: cannot make it: {}", path, error.message()));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failure(path, "cannot make it");
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return failure(path, "cannot look at it");
  if (!S_ISDIR(status.st_mode)) return std::unexpected(fmt::format("{} is no directory", path));
  if (status.st_uid != ::geteuid()) return std::unexpected(fmt::format("{} belongs to another user", path));
  if ((status.st_mode & kRights & ~mode) != 0 && ::chmod(path.c_str(), mode) != 0) {
    return failure(path, "cannot set its mode");
  }
  return {};
}

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/shared_file.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <sys/stat.h>

namespace periplex::vfio_user {
namespace {

constexpr std::size_t kMaxUnusedFiles = 32;

}  // namespace

SharedFile::~SharedFile() {
  ::munmap(bytes_.data(), bytes_.size());
}

std::expected<std::shared_ptr<SharedFile>, std::errc> SharedFileCache::open(const UniqueFd& fd, std::uint64_t end,
                                                                            bool writable) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return std::unexpected(std::errc{errno});
  if (!S_ISREG(status.st_mode) || end == 0 || end > static_cast<std::uint64_t>(status.st_size)) {
    return std::unexpected(std::errc::invalid_argument);
  }
  const SharedFile::Identity identity{status.st_dev, status.st_ino};
  // A file that has grown is mapped anew, as is one that was mapped read-only and is to be written now.
  const auto known = std::ranges::find_if(files_, [&](const auto& file) {
    return file->identity() == identity && file->bytes().size() >= end && (file->writable() || !writable);
  });
  if (known != files_.end()) return *known;

  const auto size = static_cast<std::size_t>(status.st_size);
  const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
  void* address = ::mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (address == MAP_FAILED) return std::unexpected(std::errc{errno});
  ::madvise(address, size, MADV_DONTDUMP);  // a guest's memory has no place in our core dumps
  drop_unused();
  files_.push_back(
      std::make_shared<SharedFile>(identity, MutableByteView(static_cast<std::byte*>(address), size), writable));
  return files_.back();
}

void SharedFileCache::drop_unused() {
  const auto is_unused = [](const auto& file) { return file.use_count() == 1; };
  if (std::ranges::count_if(files_, is_unused) < static_cast<std::ptrdiff_t>(kMaxUnusedFiles)) return;
  files_.erase(std::ranges::find_if(files_, is_unused));
}

}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <memory>
#include <sys/types.h>
#include <system_error>
#include <vector>

#include "guest/memory.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::vfio_user {

/// A file of a client's, mapped as a whole; it is unmapped with its last holder.
///
/// The client is trusted to keep its file at least as long as it was when mapped (QEMU seals its memory against
/// shrinking): an access behind the end ends this process, which is that client's machine's alone.
class SharedFile final : public guest::Backing {
 public:
  /// What makes two descriptors the same file.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  SharedFile(Identity identity, MutableByteView bytes, bool writable)
      : identity_(identity), bytes_(bytes), writable_(writable) {}
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile() override;

  [[nodiscard]] MutableByteView bytes() override { return bytes_; }
  [[nodiscard]] Identity identity() const { return identity_; }
  [[nodiscard]] bool writable() const { return writable_; }

 private:
  Identity identity_;
  MutableByteView bytes_;
  bool writable_;
};

/// Maps each file of one client once.
///
/// Firmware makes QEMU unmap and map again all RAM many times, with the same file: files stay mapped here until
/// `clear`, also while no region uses them. Of unused ones only the newest few are kept.
class SharedFileCache {
 public:
  /// The file behind `fd`, at least `end` bytes long. `invalid_argument` if it is shorter or no regular file; the
  /// kernel's word if it cannot be mapped.
  [[nodiscard]] std::expected<std::shared_ptr<SharedFile>, std::errc> open(const UniqueFd& fd, std::uint64_t end,
                                                                           bool writable);
  void clear() { files_.clear(); }
  [[nodiscard]] std::size_t size() const { return files_.size(); }

 private:
  void drop_unused();

  std::vector<std::shared_ptr<SharedFile>> files_;  // oldest first
};

}  // namespace periplex::vfio_user

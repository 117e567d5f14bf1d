// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "loop/unique_fd.hpp"

namespace periplex::machine {

/// Keeps a disk image from being used twice where one of the two writes: in this machine, in another, or by QEMU (whose
/// own locks conflict with it). Held through the open file itself, so a lock cannot outlive its process.
class ImageLock {
 public:
  ImageLock() = default;
  ImageLock(ImageLock&&) noexcept = default;
  ImageLock& operator=(ImageLock&& other) noexcept {
    release();
    image_ = std::move(other.image_);
    return *this;
  }
  ~ImageLock() { release(); }

  /// False: somebody else uses the image. Where a file system knows no locks there is none, and nobody is warned.
  [[nodiscard]] bool acquire(const UniqueFd& image, bool writable);
  void release();
  /// Makes completed writes durable; may take time.
  void sync() const;

 private:
  UniqueFd image_;  // a second descriptor of the same open file
};

}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "loop/unique_fd.hpp"

namespace periplex::host {

/// Keeps a disk image from being used twice where one of the two writes: in this machine, in another, or by QEMU (whose
/// own locks conflict with it). Held through the open file itself, so a lock cannot outlive its process.
///
/// It is shared by whoever uses the image, and given up by the last: a disk that is gone may still be written to.
class ImageLock {
 public:
  /// Null: somebody else uses the image. Where a file system knows no locks there is none, and nobody is warned.
  [[nodiscard]] static std::shared_ptr<const ImageLock> acquire(const UniqueFd& image, bool writable);
  ImageLock(const ImageLock&) = delete;
  ImageLock& operator=(const ImageLock&) = delete;
  ~ImageLock();

  /// Makes completed writes durable; may take time.
  void sync() const;

 private:
  explicit ImageLock(UniqueFd image) : image_(std::move(image)) {}

  const UniqueFd image_;  // a second descriptor of the same open file
};

}  // namespace periplex::host

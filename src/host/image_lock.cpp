// SPDX-License-Identifier: Apache-2.0
#include "host/image_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace periplex::host {
namespace {

/// The whole file. Open file description locks belong to the open file, wherever its descriptors are passed.
int set_lock(int fd, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock);
}

}  // namespace

std::shared_ptr<const ImageLock> ImageLock::acquire(const UniqueFd& image, bool writable) {
  if (set_lock(image.get(), writable ? F_WRLCK : F_RDLCK) != 0 && (errno == EAGAIN || errno == EACCES)) return nullptr;
  return std::shared_ptr<const ImageLock>(new ImageLock(UniqueFd(::fcntl(image.get(), F_DUPFD_CLOEXEC, 0))));
}

ImageLock::~ImageLock() {
  // Said explicitly: a client that passed the open file to us may keep it open.
  if (image_) (void)set_lock(image_.get(), F_UNLCK);
}

void ImageLock::sync() const {
  if (image_) (void)::fdatasync(image_.get());
}

}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
#include "machine/image_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace periplex::machine {
namespace {

/// The whole file. Open file description locks belong to the open file, wherever its descriptors are passed.
int set_lock(int fd, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock);
}

}  // namespace

void ImageLock::release() {
  // Said explicitly: requests that are still being carried out hold the open file a little longer.
  if (image_) (void)set_lock(image_.get(), F_UNLCK);
  image_.reset();
}

bool ImageLock::acquire(const UniqueFd& image, bool writable) {
  if (set_lock(image.get(), writable ? F_WRLCK : F_RDLCK) != 0 && (errno == EAGAIN || errno == EACCES)) return false;
  image_ = UniqueFd(::fcntl(image.get(), F_DUPFD_CLOEXEC, 0));
  return true;
}

void ImageLock::sync() const {
  if (image_) (void)::fdatasync(image_.get());
}

}  // namespace periplex::machine

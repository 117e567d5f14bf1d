// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/shared_ram.hpp"

#include <cerrno>
#include <sys/mman.h>
#include <system_error>

namespace periplex::vfio_user {

SharedRam::SharedRam(std::uint64_t size) : fd_(::memfd_create("periplex-ram", MFD_CLOEXEC)) {
  void* address = MAP_FAILED;
  if (fd_ && ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) {
    address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  }
  if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "shared memory");
  bytes_ = {static_cast<std::byte*>(address), size};
}

SharedRam::~SharedRam() {
  ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::vfio_user {

/// A client's memory that it can share: a memfd, mapped on this side too. Throws std::system_error when there is none.
class SharedRam {
 public:
  explicit SharedRam(std::uint64_t size);
  SharedRam(const SharedRam&) = delete;
  SharedRam& operator=(const SharedRam&) = delete;
  ~SharedRam();

  [[nodiscard]] MutableByteView bytes() { return bytes_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  MutableByteView bytes_;
};

}  // namespace periplex::vfio_user

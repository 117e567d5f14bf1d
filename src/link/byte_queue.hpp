// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "base/bytes.hpp"

namespace periplex::link {

/// Bytes in, the same bytes out, in one piece of memory.
class ByteQueue {
 public:
  [[nodiscard]] std::size_t size() const { return bytes_.size() - read_; }
  [[nodiscard]] bool empty() const { return size() == 0; }

  void push(ByteView bytes) {
    // Moving what is left down costs no more than was read since the last time.
    if (read_ > size()) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(read_));
      read_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  /// The first bytes, at most `limit`; valid until the next push.
  [[nodiscard]] ByteView front(std::size_t limit) const {
    return ByteView(bytes_).subspan(read_, std::min(limit, size()));
  }
  void pop(std::size_t count) {
    read_ += std::min(count, size());
    if (empty()) clear();
  }
  void clear() {
    bytes_.clear();
    read_ = 0;
  }

 private:
  Bytes bytes_;
  std::size_t read_ = 0;
};

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "base/bytes.hpp"

namespace periplex::remote::usbip {

/// Bytes that have come in pieces of any size, until a message is whole. Who appends bounds the messages.
class Inbox {
 public:
  void append(ByteView bytes) {
    // What has been taken is thrown away only where that is cheap.
    if (taken_ == bytes_.size()) {
      bytes_.clear();
      taken_ = 0;
    } else if (taken_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
      taken_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  [[nodiscard]] ByteView view() const { return ByteView(bytes_).subspan(taken_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - taken_; }
  void consume(std::size_t count) { taken_ += std::min(count, size()); }

 private:
  Bytes bytes_;
  std::size_t taken_ = 0;
};

}  // namespace periplex::remote::usbip

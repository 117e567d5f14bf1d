// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"

namespace periplex::gate {

/// Cuts a byte stream into lines. It holds no more than the beginning of one line.
class LineReader {
 public:
  /// No configuration and no state of the sizes that documents.hpp allows is longer.
  static constexpr std::size_t kMaxLine = std::size_t{8} << 20;

  /// Calls `line` with each whole line, without its end; false once one is too long.
  template <typename Line>
  [[nodiscard]] bool feed(ByteView bytes, Line line) {
    std::string_view rest = as_text(bytes);
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (begun_.size() + end > kMaxLine) return false;
      begun_.append(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      const std::string whole = std::exchange(begun_, {});
      line(std::string_view(whole));
    }
    begun_.append(rest);
    return begun_.size() <= kMaxLine;
  }

 private:
  std::string begun_;
};

}  // namespace periplex::gate

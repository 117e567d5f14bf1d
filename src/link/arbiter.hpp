// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "link/ids.hpp"

namespace periplex::link {

/// Decides which priority sends its next piece on a lane.
///
/// The most urgent goes first; but once a lower one has been passed over kMaxPassedOver times in a row while it had
/// something to send, it gets one piece, so that nothing starves.
class Arbiter {
 public:
  static constexpr unsigned kMaxPassedOver = 8;

  /// `waiting` tells which priorities have a piece to send.
  [[nodiscard]] std::optional<Priority> pick(const std::array<bool, kPriorities>& waiting) {
    std::optional<std::size_t> chosen;
    for (std::size_t p = 0; p < kPriorities; ++p) {
      if (waiting[p] && (!chosen || (passed_over_[p] >= kMaxPassedOver && passed_over_[p] > passed_over_[*chosen]))) {
        chosen = p;
      }
    }
    if (!chosen) return std::nullopt;
    for (std::size_t p = 0; p < kPriorities; ++p) {
      passed_over_[p] = waiting[p] && p != *chosen ? passed_over_[p] + 1 : 0;
    }
    return Priority{static_cast<std::uint8_t>(*chosen)};
  }

 private:
  std::array<unsigned, kPriorities> passed_over_{};
};

}  // namespace periplex::link

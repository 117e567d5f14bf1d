// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

namespace periplex::bench {

/// The figures of several repetitions.
class Samples {
 public:
  void add(double value) { values_.insert(std::ranges::upper_bound(values_, value), value); }

  [[nodiscard]] double median() const { return values_.empty() ? 0 : values_[values_.size() / 2]; }
  [[nodiscard]] double min() const { return values_.empty() ? 0 : values_.front(); }
  [[nodiscard]] double max() const { return values_.empty() ? 0 : values_.back(); }

 private:
  std::vector<double> values_;  // sorted
};

}  // namespace periplex::bench

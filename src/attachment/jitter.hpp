// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/time.hpp"

namespace periplex::attachment {

/// How unevenly a stream of packets arrives, and how much of it must therefore be kept ready.
///
/// The deviation of each arrival from the pace of the stream is kept as a peak that decays: a network's delays come in
/// bursts, and one gap is heard. A stream that has run dry although that was kept gets more, which it gives back
/// slowly.
class Jitter {
 public:
  static constexpr Nanoseconds kLeast = std::chrono::milliseconds(4);
  static constexpr Nanoseconds kMost = std::chrono::milliseconds(250);

  /// A chunk of the stream that lasts `duration` has arrived at `now`.
  void on_arrival(Nanoseconds now, Nanoseconds duration) {
    extra_ -= extra_ / kExtraDecay;
    const Nanoseconds late = expected_ ? now - *expected_ : Nanoseconds(0);
    const bool interrupted = late > kMost;  // that is no jitter
    peak_ = std::max(interrupted ? Nanoseconds(0) : late, peak_ - peak_ / kDecay);
    // What comes early sets the pace anew. Two clocks never agree: the pace follows slowly.
    const bool anew = !expected_ || interrupted || late < Nanoseconds(0);
    expected_ = anew ? now + duration : *expected_ + duration + late / kFollow;
  }
  /// The stream has run dry.
  void on_dry() { extra_ = std::min(extra_ + kStep, kMost); }
  /// The stream begins anew; what is known of the network is kept.
  void restart() { expected_.reset(); }

  /// How much is to be kept ready.
  [[nodiscard]] Nanoseconds target() const { return std::clamp(kLeast + peak_ + extra_, kLeast, kMost); }

 private:
  static constexpr int kFollow = 512;
  static constexpr int kDecay = 256;
  static constexpr int kExtraDecay = 4096;
  static constexpr Nanoseconds kStep = std::chrono::milliseconds(2);

  std::optional<Nanoseconds> expected_;  // when the next chunk is due, if the first ones were on time
  Nanoseconds peak_{};
  Nanoseconds extra_{};
};

}  // namespace periplex::attachment

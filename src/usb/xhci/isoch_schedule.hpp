// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace periplex::usb::xhci {

/// Counts of 125 µs since the controller ran first, without the wrap of MFINDEX.
using Microframes = std::uint64_t;

inline constexpr Microframes kMicroframesPerFrame = 8;

/// Which service interval each TD of an isochronous ring belongs to (xHCI 1.2 §4.11.2.5, §4.14.2): one TD each.
///
/// It begins with the first TD, and then goes on interval by interval, also where the loop is late: intervals that have
/// passed meanwhile are made up for in order, so that the guest's clock and the device's stay one. Only where more than
/// `kMaxLate` is behind (a process that was stopped) they are given up, because playing them in one burst helps nobody.
class IsochSchedule {
 public:
  static constexpr Microframes kMaxLate = 100 * kMicroframesPerFrame;
  /// §4.11.2.5: a Frame ID from the present frame on up to this many frames is in the future, others have passed.
  static constexpr unsigned kFrameWindow = 895;
  /// §6.2.3.6: the largest Interval of a full-speed isochronous endpoint.
  static constexpr unsigned kMaxExponent = 18;

  /// Intervals are 2^`exponent` microframes long.
  explicit IsochSchedule(unsigned exponent)
      : length_(Microframes{1} << (exponent < kMaxExponent ? exponent : kMaxExponent)) {}

  [[nodiscard]] Microframes length() const { return length_; }
  [[nodiscard]] bool begun() const { return next_.has_value(); }
  /// The begin of the interval behind the last TD's, or of the first one that can still be had.
  [[nodiscard]] Microframes next(Microframes now) const { return next_ ? *next_ : align_up(now); }

  /// Where a TD belongs that asks for frame `frame_id` (11 bits), or for no certain one (SIA): the begin of its
  /// interval. Nothing where that has passed already.
  [[nodiscard]] std::optional<Microframes> place(std::optional<unsigned> frame_id, Microframes now) const;
  /// A TD has taken the interval that begins at `start`.
  void take(Microframes start) { next_ = start + length_; }
  /// A TD will take it later: the guest wants nothing to happen before.
  void wait_for(Microframes start) { next_ = start; }
  /// Gives up what is too late; returns how many intervals.
  std::uint64_t catch_up(Microframes now);
  /// The ring ran dry or was stopped: the next TD begins anew.
  void end() { next_.reset(); }

 private:
  [[nodiscard]] Microframes align_up(Microframes at) const { return (at + length_ - 1) / length_ * length_; }

  Microframes length_;
  std::optional<Microframes> next_;
};

}  // namespace periplex::usb::xhci

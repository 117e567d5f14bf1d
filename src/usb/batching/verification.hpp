// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace periplex::usb::batching {

/// By what a data set that has been handed over is compared with what the guest has queued now, before a packet of it
/// is given back. Direction and length of every packet are always compared. See docs/decisions/0007-verification.md.
struct Verification {
  /// The descriptor stands where it stood.
  bool addresses = true;
  /// It says what it said: token and buffer pointers.
  bool descriptors = true;
  /// The bytes behind it are those that were copied. Device-bound packets only.
  bool data = false;

  friend bool operator==(const Verification&, const Verification&) = default;
};

/// Reads "addresses+descriptors+data", in any order. Nothing: a word is unknown, or neither addresses nor descriptors
/// are named, without which nobody could tell whether a packet was withdrawn.
[[nodiscard]] std::optional<Verification> parse_verification(std::string_view text);
[[nodiscard]] std::string format(const Verification& verification);

}  // namespace periplex::usb::batching

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "link/certificate.hpp"

/// What the gate's parent tells it. The gate keeps nothing, and decides nothing that is not in here.
namespace periplex::gate {

inline constexpr std::size_t kMaxSeats = 1024;
inline constexpr std::size_t kMaxMachines = 1024;
inline constexpr std::size_t kMaxBindings = 4096;
inline constexpr std::size_t kMaxLimits = 1024;
/// Of a seat, a machine, or a pattern.
inline constexpr std::size_t kMaxName = 64;

/// A seat that may come: whoever holds the key of this certificate.
struct KnownSeat {
  std::string name;
  std::string fingerprint;  ///< SHA-256 of the certificate in DER form, 64 lower-case hexadecimal digits
  bool operator==(const KnownSeat&) const = default;
};

/// Peripherals of seats that a machine may have. Both are patterns: `*` stands for any characters, `?` for one.
struct Binding {
  std::string seat;
  std::string peripheral;
  std::string machine;
  bool operator==(const Binding&) const = default;
};

/// How many peripherals a seat may have lent at the same time.
struct Limit {
  std::string seat;  ///< a pattern
  std::size_t peripherals = 0;
  bool operator==(const Limit&) const = default;
};

struct Configuration {
  std::string name;         ///< what the gate calls itself
  link::Credentials own{};  ///< its certificate and its key
  std::string authority{};  ///< the certificate that it trusts
  std::vector<KnownSeat> seats{};
  std::vector<std::string> machines{};  ///< their names
  std::vector<Binding> bindings{};      ///< the first that fits counts
  std::vector<Limit> limits{};          ///< likewise; where none fits there is none

  /// Null: nobody with this certificate may come.
  [[nodiscard]] const KnownSeat* seat_of(std::string_view fingerprint) const;
  /// Name of the machine that may have it; empty: none.
  [[nodiscard]] std::string_view machine_for(std::string_view seat, std::string_view peripheral) const;
  [[nodiscard]] std::size_t limit_of(std::string_view seat) const;
};

/// Whether it can name a seat or a machine: letters, digits, `.`, `-` and `_`, a letter or digit first.
[[nodiscard]] bool is_name(std::string_view text);

/// What a worker and a gate call a peripheral: SEAT/ID. The name of a seat has no slash.
[[nodiscard]] std::string unique_name(std::string_view seat, std::string_view peripheral);

}  // namespace periplex::gate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gate/configuration.hpp"
#include "sandbox/confinement.hpp"

/// What the gate and its parent tell each other: one JSON object a line, in both directions (docs/gate.md). Boost.JSON
/// stays behind this.
namespace periplex::gate {

// From the parent -------------------------------------------------------------------------------------------------

/// The parent's answer to an `EnrolmentQuestion`.
struct EnrolmentVerdict {
  std::uint64_t id = 0;
  std::string name;
  std::string certificate;  ///< empty: no
  std::string why;          ///< why not, for the person at the seat
};

using Instruction = std::variant<Configuration, EnrolmentVerdict>;
/// {"configure": {…}} or {"enrolment": {…}}. The error is a text for a person.
[[nodiscard]] std::expected<Instruction, std::string> parse_instruction(std::string_view line);
[[nodiscard]] std::string to_line(const Configuration& configuration);
[[nodiscard]] std::string to_line(const EnrolmentVerdict& verdict);

// From the gate ---------------------------------------------------------------------------------------------------

/// Somebody without a certificate has come with a token.
struct EnrolmentQuestion {
  std::uint64_t id = 0;
  std::string digest;   ///< of the token's secret (`link::digest_of`)
  std::string request;  ///< signing request in PEM form
};

struct PeripheralState {
  std::string id;
  std::string kind;
  std::string name;
  std::string serial;
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  std::string state;    ///< offered, wanted, attached, held, refused
  std::string machine;  ///< that may have it
  std::string why;      ///< refused: the reason
  bool operator==(const PeripheralState&) const = default;
};
struct SeatState {
  std::string name;
  std::string agent;  ///< what it calls itself
  std::string state;  ///< connected, held
  /// used; blocked: none get through just now; off: the agent or the gate does not want any
  std::string datagrams;
  std::vector<PeripheralState> peripherals;
  bool operator==(const SeatState&) const = default;
};
struct MachineState {
  std::string name;
  bool worker = false;  ///< it is there
  bool operator==(const MachineState&) const = default;
};
/// All there is, told anew whenever something has changed.
struct State {
  std::vector<SeatState> seats;
  std::vector<MachineState> machines;
  sandbox::Confinement confinement;  ///< the gate's own
  bool operator==(const State&) const = default;
};

using Report = std::variant<EnrolmentQuestion, State>;
[[nodiscard]] std::expected<Report, std::string> parse_report(std::string_view line);
[[nodiscard]] std::string to_line(const EnrolmentQuestion& question);
[[nodiscard]] std::string to_line(const State& state);

}  // namespace periplex::gate

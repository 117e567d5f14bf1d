// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "machine/specification.hpp"
#include "usb/batching/verification.hpp"

namespace periplex::machine {

struct Xhci {
  unsigned usb2_ports = 4;
  unsigned usb3_ports = 4;
  static constexpr unsigned kMostPorts = 15;  ///< of each kind
  friend bool operator==(const Xhci&, const Xhci&) = default;
};
struct Uhci {
  unsigned ports = 2;
  usb::batching::Verification verification;
  static constexpr unsigned kMostPorts = 7;
  friend bool operator==(const Uhci&, const Uhci&) = default;
};
/// With a companion UHCI for every two ports, to which full- and low-speed peripherals go (EHCI 1.0 §4.2).
struct Ehci {
  unsigned ports = 6;
  usb::batching::Verification verification;
  static constexpr unsigned kMostPorts = 14;  ///< functions 0 to 6 of the slot are companions, 7 is the EHCI
  static constexpr unsigned kPortsPerCompanion = 2;
  friend bool operator==(const Ehci&, const Ehci&) = default;
};

/// One controller that the machine is to have.
struct ControllerDescription {
  std::string name;
  std::variant<Xhci, Uhci, Ehci> options;

  /// The word a specification begins with.
  [[nodiscard]] std::string_view kind() const;
  friend bool operator==(const ControllerDescription&, const ControllerDescription&) = default;
};

/// The one place where a controller's settings are checked.
[[nodiscard]] std::expected<ControllerDescription, SpecificationError> describe_controller(
    std::string_view kind, std::span<const Setting> settings);

/// Reads `KIND[,KEY=VALUE]...`, as on a command line:
///
///     xhci[,name=N][,usb2-ports=4][,usb3-ports=4]
///     uhci[,name=N][,ports=2][,verify=addresses+descriptors+data]
///     ehci[,name=N][,ports=6][,verify=…]
[[nodiscard]] std::expected<ControllerDescription, SpecificationError> parse_controller(std::string_view text);

/// The PCI functions that `controller` consists of, by name, in the order in which they are served: companions first,
/// the one that bears the controller's own name last. Each has a socket of its own.
[[nodiscard]] std::vector<std::string> function_names(const ControllerDescription& controller);

/// Gives names to those that have none (their kind, with a number from the second of a kind on), and makes sure that no
/// two functions bear the same.
[[nodiscard]] std::expected<std::vector<ControllerDescription>, SpecificationError> with_names(
    std::vector<ControllerDescription> controllers);

/// As many as one machine may have, companions not counted.
inline constexpr std::size_t kMostControllers = 8;

}  // namespace periplex::machine

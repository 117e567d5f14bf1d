// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/operations.hpp"

/// What a machine's monitor has to be started with so that it uses the machine's controllers.
namespace periplex::control {

enum class Monitor : std::uint8_t { qemu, libvirt, cloud_hypervisor };

[[nodiscard]] std::optional<Monitor> parse_monitor(std::string_view name);
[[nodiscard]] std::string_view name(Monitor monitor);

/// A size as QEMU writes it: digits and perhaps K, M, G or T. In bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_memory_size(std::string_view text);

struct MonitorArguments {
  std::vector<std::string> words;  ///< as of a command line, unquoted; for libvirt the pieces of XML
  std::string text;                ///< to paste: quoted for a shell, or XML
};

/// `memory` is the machine's RAM, which must be shared with us. `controllers` are those of a `MachineView`; their
/// sockets are absolute paths.
///
/// A controller with companions and these share one PCI slot, as drivers expect (EHCI 1.0 §4.2: the companions'
/// functions come first), on every monitor that lets functions share one; the others go where the monitor puts them.
[[nodiscard]] MonitorArguments monitor_arguments(Monitor monitor,
                                                 const std::vector<machine::ControllerView>& controllers,
                                                 std::string_view memory);

/// `word` so that a POSIX shell reads it as one word.
[[nodiscard]] std::string shell_quoted(std::string_view word);

}  // namespace periplex::control

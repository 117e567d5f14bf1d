// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "apps/periplex/terminal.hpp"

namespace periplex::apps {

/// What the doctor looks at besides this host.
struct Patient {
  std::string qemu;                    ///< program
  std::string control;                 ///< path of the control socket
  std::optional<std::string> machine;  ///< answer of /v1/machine
  Failure no_machine;                  ///< why there is none
  std::string gate{};                  ///< what the gate tells of itself (gate.json); empty: none is told of
};

/// Looks for everything a machine needs, and says for each thing found wrong how to mend it. Status 0: nothing keeps a
/// machine from working.
///
/// JSON: {"healthy": true, "findings": [{"check": "qemu", "state": "ok" | "note" | "problem", "text": …, "advice": …}]}
[[nodiscard]] Result examine(const Patient& patient);

/// Major and minor version in what `qemu-system-x86_64 --version` prints.
[[nodiscard]] std::optional<std::pair<unsigned, unsigned>> parse_qemu_version(std::string_view text);

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/confinement.hpp"

/// The control API's answers, read and made readable. Boost.JSON stays behind this.
namespace periplex::apps {

/// {"devices": […]} of /v1/peripherals.
[[nodiscard]] std::string peripherals_table(std::string_view json);
/// One peripheral, in one line.
[[nodiscard]] std::string peripheral_line(std::string_view json);
/// /v1/statistics.
[[nodiscard]] std::string statistics_table(std::string_view json);

/// The text at member `name` of an object; empty if there is none.
[[nodiscard]] std::string text_member(std::string_view json, std::string_view name);
[[nodiscard]] std::optional<std::uint64_t> number_member(std::string_view json, std::string_view name);

/// Who uses a controller, of /v1/machine.
struct ControllerClient {
  std::string name;
  bool connected = false;
  std::uint64_t shared_bytes = 0;
};
[[nodiscard]] std::vector<ControllerClient> controller_clients(std::string_view json);

/// How a process is confined, of /v1/machine or of what a gate tells of itself ({"state": …}); none: it does not say.
[[nodiscard]] std::optional<sandbox::Confinement> confinement_of(std::string_view json);

}  // namespace periplex::apps

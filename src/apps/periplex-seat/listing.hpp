// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/periplex-seat/inventory.hpp"

/// What is plugged in, for people and as JSON. Boost.JSON stays behind this.
namespace periplex::apps {

struct Listed {
  std::string id;
  seat::Peripheral peripheral;
  seat::Decision decision;
  Details details;
};

/// A table. What devices say of themselves is shown without anything that a terminal would obey.
[[nodiscard]] std::string table(const std::vector<Listed>& all);
/// One line: the same in few words.
[[nodiscard]] std::string line(const Listed& one);
/// {"peripherals": […]}
[[nodiscard]] std::string to_json(const std::vector<Listed>& all);
/// {"event": "arrived", "peripheral": {…}}
[[nodiscard]] std::string event_json(std::string_view event, const Listed& one);

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "control/router.hpp"

namespace periplex::control {

using Answer = machine::Outcome<http::Response>;

/// One method on one path. In `path`, "{id}" stands for any one segment.
struct Route {
  std::string_view method;
  std::string_view path;
  Answer (*handler)(Call& call);
};

/// All there are; docs/guide/control-api.md describes each, and guide_test.cpp compares the two.
[[nodiscard]] std::span<const Route> routes();

}  // namespace periplex::control

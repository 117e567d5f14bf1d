// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "loop/unique_fd.hpp"

namespace periplex::agent {

/// Makes connections to the gate, wherever that is now.
class Dialler {
 public:
  /// The error is a text for people.
  using OnSocket = std::move_only_function<void(std::expected<UniqueFd, std::string>)>;

  virtual ~Dialler() = default;
  /// Gives a non-blocking stream socket that is connected, or about to be. The answer comes on the loop, perhaps from
  /// inside this call, perhaps never. `failures`: how many attempts of the same caller have led to nothing so far; a
  /// gate with several addresses has its next one tried after each.
  virtual void dial(unsigned failures, OnSocket on_socket) = 0;
};

}  // namespace periplex::agent

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "gate/gate.hpp"
#include "gate/parent.hpp"
#include "loop/event_loop.hpp"

namespace periplex::apps {

/// The gate as a process.
class GateService {
 public:
  GateService(UniqueFd listening, UniqueFd parent);
  /// Until the parent is gone.
  void run() { loop_.run(); }

 private:
  void instructed(gate::Instruction instruction);

  EventLoop loop_;
  gate::Gate gate_;
  gate::Parent parent_;
};

/// Gives up what the gate does not need: other descriptors, core files, new privileges, and being traced. The error is
/// a text for a person.
[[nodiscard]] std::expected<void, std::string> give_up_privileges(int listening, int parent);

}  // namespace periplex::apps

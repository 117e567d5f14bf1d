// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "gate/gate.hpp"
#include "gate/parent.hpp"
#include "loop/event_loop.hpp"
#include "loop/message_socket.hpp"
#include "sandbox/confinement.hpp"

namespace periplex::apps {

/// The gate as a process.
class GateService {
 public:
  struct Sockets {
    UniqueFd listening;
    UniqueFd datagrams;  ///< null: none are taken
    UniqueFd parent;
    UniqueFd workers;  ///< where connections to workers are asked for
  };
  explicit GateService(Sockets sockets);
  /// What its parent is told of it.
  void set_confinement(sandbox::Confinement confinement) { confinement_ = std::move(confinement); }
  /// Until the parent is gone.
  void run() { loop_.run(); }

 private:
  void instructed(gate::Instruction instruction);
  [[nodiscard]] gate::State state() const;

  EventLoop loop_;
  sandbox::Confinement confinement_;
  MessageSocket workers_;
  gate::Gate gate_;
  gate::Parent parent_;
};

}  // namespace periplex::apps

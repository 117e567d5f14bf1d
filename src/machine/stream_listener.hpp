// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "loop/acceptor.hpp"
#include "loop/message_socket.hpp"

namespace periplex::machine {

/// Where the gate brings the streams of peripherals at seats: a listening socket of type SOCK_SEQPACKET (docs/gate.md,
/// "The stream socket").
///
/// Each stream is one message: the peripheral's name, SEAT/ID, with an open stream socket. The gate is told which are
/// waited for, and brings no others. There is one gate: who connects takes the place of the one before.
class StreamListener {
 public:
  using OnStream = std::function<void(std::string_view name, UniqueFd stream)>;

  StreamListener(EventLoop& loop, UniqueFd listening, OnStream on_stream);

  void want(const std::string& name);
  void leave(const std::string& name);
  [[nodiscard]] bool gate_present() const { return gate_ != nullptr; }

 private:
  void accepted(UniqueFd socket);
  void tell(char what, const std::string& name);
  void drop_gate();

  EventLoop& loop_;
  OnStream on_stream_;
  std::set<std::string, std::less<>> wanted_;
  std::unique_ptr<MessageSocket> gate_;
  log::RateLimit limit_;
  Acceptor acceptor_;
};

}  // namespace periplex::machine

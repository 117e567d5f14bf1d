// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/periplexd/child.hpp"
#include "base/log.hpp"
#include "gate/documents.hpp"
#include "gate/lines.hpp"
#include "loop/byte_stream.hpp"
#include "loop/message_socket.hpp"
#include "sandbox/process.hpp"

namespace periplex::apps {

/// periplex-gate as seen by its parent: kept running, with its sockets for seats, a line to talk to it, and a socket
/// over which it gets its connections to workers. It meets the network: what it says is read as that of a stranger.
class GateProcess {
 public:
  struct Plan {
    std::string program;
    UniqueFd listening;
    UniqueFd datagrams{};                 ///< a UDP socket, or none
    UniqueFd root{};                      ///< an empty directory, or none
    std::optional<sandbox::User> user{};  ///< that it becomes
  };
  /// Called from the loop.
  struct Events {
    /// It has been started, and knows nothing.
    std::function<void()> started;
    std::function<void(gate::Report report)> reported;
    /// A connection to the stream socket of a machine's worker; none: there is no such machine, or it is not there.
    std::function<UniqueFd(std::string_view machine)> connect_worker;
  };

  GateProcess(EventLoop& loop, Plan plan, Events events);

  void start() { child_.start(); }
  void stop(std::function<void()> ended) { child_.stop(std::move(ended)); }
  void say(std::string_view line);

 private:
  [[nodiscard]] static std::vector<std::string> arguments(const Plan& plan);
  [[nodiscard]] std::vector<std::pair<int, int>> descriptors();
  void said(ByteView bytes);
  void reported(std::string_view line);
  void wants_worker(std::string_view machine);
  void drop_line();

  EventLoop& loop_;
  const Plan plan_;
  const Events events_;
  UniqueFd its_line_;     // while it is being started
  UniqueFd its_workers_;  // likewise
  gate::LineReader lines_;
  log::RateLimit limit_;
  std::unique_ptr<ByteStream> line_;
  std::unique_ptr<MessageSocket> workers_;
  Child child_;
};

}  // namespace periplex::apps

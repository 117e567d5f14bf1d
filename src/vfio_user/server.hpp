// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/log.hpp"
#include "loop/acceptor.hpp"
#include "loop/event_loop.hpp"
#include "vfio_user/connection.hpp"

namespace periplex::vfio_user {

/// Serves one PCI function to a machine's monitor (QEMU, Cloud Hypervisor) on a listening Unix socket.
///
/// One client at a time; the next waits in the socket's queue. When a client ends, in whatever way, its memory is
/// unmapped, its interrupts are dropped, the function is told by `on_disconnect`, and the next one is accepted. The
/// server never waits for anything but the loop.
///
/// It is made before the function, which needs its memory and interrupts, and destroyed after it: once the function is
/// gone the loop must not run for this server any more. `stop` ends service earlier.
class Server {
 public:
  struct Statistics {
    std::uint64_t clients = 0;
    std::uint64_t messages = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t mapped_bytes = 0;  ///< of guest memory, now
  };

  Server(EventLoop& loop, UniqueFd listening);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] guest::Memory& memory() { return memory_; }
  [[nodiscard]] guest::Interrupts& interrupts() { return lines_; }

  /// Starts to accept clients.
  void serve(pci::Function& function);
  /// Ends the connection, if there is one, and accepts no more clients. Not to be called from inside the function.
  void stop();

  [[nodiscard]] bool connected() const { return connection_ != nullptr; }
  [[nodiscard]] Statistics statistics() const;

 private:
  void accept(UniqueFd socket);
  bool advance();
  void disconnect();
  void settle(Connection::Progress progress);

  EventLoop& loop_;
  Acceptor acceptor_;
  guest::Memory memory_;
  IrqLines lines_;
  pci::Function* function_ = nullptr;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<EventLoop::Watch> watch_;  // of the client
  std::unique_ptr<EventLoop::Watch> poller_;
  bool waits_for_room_ = false;          // whether `watch_` asks for EPOLLOUT
  std::unique_ptr<Timer> introduction_;  // until a client has to have sent its VERSION
  Statistics past_;                      // of the clients before this one
  log::RateLimit limit_;
};

}  // namespace periplex::vfio_user

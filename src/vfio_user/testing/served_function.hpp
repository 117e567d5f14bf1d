// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vfio_user/client.hpp"
#include "vfio_user/server.hpp"
#include "vfio_user/testing/scratch_function.hpp"

namespace periplex::vfio_user::testing {

/// An eventfd as a monitor makes it.
[[nodiscard]] inline UniqueFd make_event() {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/// How often `event` has been signalled since it was asked last.
[[nodiscard]] inline std::uint64_t events(const UniqueFd& event) {
  std::uint64_t count = 0;
  return ::read(event.get(), &count, sizeof count) == sizeof count ? count : 0;
}

/// How many descriptors this process has open.
[[nodiscard]] inline std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

/// A server on a nameless socket with a scratch function, and its loop, which tests turn by hand.
class ServedFunction : public ::testing::Test {
 protected:
  ServedFunction() : server(loop, make_listening()), function(server.interrupts()) { server.serve(function); }

  /// A socket to the server, accepted by it.
  [[nodiscard]] UniqueFd connect_socket() {
    sockaddr_un address{};
    socklen_t length = sizeof address;
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    turn();
    return socket;
  }
  /// A client that runs our loop while it waits.
  [[nodiscard]] Client connect() {
    return Client(connect_socket(), [this] { turn(); });
  }
  [[nodiscard]] Client negotiated() {
    Client client = connect();
    EXPECT_TRUE(client.negotiate());
    return client;
  }

  void turn() { loop.run_once(Nanoseconds(0)); }
  void turn_until(const std::function<bool()>& reached) {
    bool there = reached();
    for (unsigned i = 0; i < 10'000 && !there; ++i) {
      turn();
      there = reached();
    }
    EXPECT_TRUE(there);
  }

  EventLoop loop;

 private:
  [[nodiscard]] UniqueFd make_listening() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) throw std::runtime_error("no socket");
    // unix(7), "Autobind feature": a name of the kernel's choice.
    const sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address.sun_family), 0);
    EXPECT_EQ(::listen(socket.get(), 4), 0);
    listening_ = socket.get();
    return socket;
  }

  int listening_ = -1;

 protected:
  Server server;
  ScratchFunction function;
};

}  // namespace periplex::vfio_user::testing

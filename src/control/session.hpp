// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

#include "base/bytes.hpp"
#include "control/http.hpp"
#include "control/router.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::control {

/// One client's connection: requests in, answers out, in order; the connection may be kept for more.
///
/// Never waits. A client that sends slowly holds a bounded buffer and nothing else; one that does not read its answer
/// is not read from until it has. Descriptors (SCM_RIGHTS) belong to the request with whose bytes they came, so a
/// client must not send one behind another request that is not answered yet.
class Session {
 public:
  static constexpr std::size_t kMaxFiles = 4;

  /// `socket` must not block.
  Session(UniqueFd socket, Router& router) : socket_(std::move(socket)), router_(router) {}

  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Which of EPOLLIN and EPOLLOUT it waits for.
  [[nodiscard]] std::uint32_t wanted_events() const { return output_.empty() ? EPOLLIN : EPOLLOUT; }
  /// Whether no request is under way.
  [[nodiscard]] bool idle() const { return output_.empty() && input_.empty() && !parser_.started(); }

  /// The socket has become readable or writable. False: the connection has ended.
  [[nodiscard]] bool on_ready(std::uint32_t events);

 private:
  [[nodiscard]] bool read_some();
  void take_files(msghdr& message);
  void handle_input();
  void refuse(const http::ParseError& error);
  [[nodiscard]] bool write_some();

  UniqueFd socket_;
  Router& router_;
  http::RequestParser parser_;
  Bytes input_;
  std::string output_;
  std::size_t written_ = 0;
  std::vector<UniqueFd> files_;
  bool closing_ = false;  // after the output has been written
};

}  // namespace periplex::control

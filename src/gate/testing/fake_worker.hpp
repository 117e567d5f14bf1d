// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>

#include "loop/acceptor.hpp"
#include "loop/message_socket.hpp"
#include "loop/unix_listener.hpp"

namespace periplex::gate::testing {

/// A machine's worker as its gate sees it: a stream socket, wishes, and the streams that came.
class FakeWorker {
 public:
  FakeWorker(EventLoop& loop, const std::string& name)
      : path(fmt::format("/tmp/periplex-gate-test-{}-{}.sock", ::getpid(), name)), loop_(loop) {
    start();
  }
  ~FakeWorker() { ::unlink(path.c_str()); }

  void start() {
    acceptor_ = std::make_unique<Acceptor>(loop_, listen_unix({.path = path, .messages = true}).value(),
                                           [this](UniqueFd socket) { accepted(std::move(socket)); });
    acceptor_->start();
  }
  /// As a process that dies.
  void stop() {
    acceptor_.reset();
    socket_.reset();
    streams.clear();
    ::unlink(path.c_str());
  }
  void want(const std::string& id) {
    wishes_[id] = true;
    if (socket_) (void)socket_->send("+" + id);
  }
  void leave(const std::string& id) {
    wishes_.erase(id);
    if (socket_) (void)socket_->send("-" + id);
  }

  const std::string path;
  std::map<std::string, UniqueFd> streams;  // the last of each
  std::map<std::string, unsigned> count;
  std::function<void(const std::string& id, UniqueFd stream)> on_stream;

 private:
  void accepted(UniqueFd socket) {
    socket_ = std::make_unique<MessageSocket>(loop_, std::move(socket),
                                              MessageSocket::Events{[this](std::string_view text, UniqueFd stream) {
                                                                      const std::string id(text);
                                                                      ++count[id];
                                                                      if (on_stream)
                                                                        return on_stream(id, std::move(stream));
                                                                      streams[id] = std::move(stream);
                                                                    },
                                                                    [] {}});
    for (const auto& [id, wanted] : wishes_) (void)socket_->send("+" + id);
  }

  EventLoop& loop_;
  std::map<std::string, bool> wishes_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<MessageSocket> socket_;
};

}  // namespace periplex::gate::testing

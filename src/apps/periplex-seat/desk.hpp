// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "apps/open_error.hpp"
#include "loop/acceptor.hpp"
#include "loop/byte_stream.hpp"

namespace periplex::apps {

/// Where the person at the seat talks to the agent that runs: a Unix socket of this user's, one line in, an answer out.
class Desk {
 public:
  /// What to answer: a text of lines.
  using Answer = std::function<std::string(std::string_view line)>;
  static constexpr std::size_t kMostLine = 256;
  static constexpr std::size_t kMostClients = 8;  ///< one more closes the oldest

  /// The error is for people: another agent of this user runs, most likely.
  [[nodiscard]] static std::expected<std::unique_ptr<Desk>, std::string> open(EventLoop& loop, Answer answer);
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk();

 private:
  struct Client {
    std::string line;
    std::unique_ptr<ByteStream> stream;
  };

  Desk(EventLoop& loop, std::string path, UniqueFd listening, Answer answer);
  void on_client(UniqueFd socket);
  void on_received(std::uint64_t number, ByteView bytes);

  EventLoop& loop_;
  const std::string path_;
  const Answer answer_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t last_ = 0;
  Acceptor acceptor_;
};

/// Says `line` to the agent of this user; what it answered.
[[nodiscard]] std::expected<std::string, OpenError> ask_desk(const std::string& line);

}  // namespace periplex::apps

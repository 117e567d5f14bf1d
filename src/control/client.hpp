// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "control/http.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::control {

/// What a client could not do, and what to do about it.
struct ClientError {
  std::string text;
  std::string advice;
};

/// The other end of the control API, for programs that may wait: one connection, one request after the other.
class Client {
 public:
  /// Connects to the control socket at `path`.
  [[nodiscard]] static std::expected<Client, ClientError> connect(const std::string& path);

  /// Sends a request, with `files` as open descriptors, and waits for its answer. `target` is already encoded. An
  /// answer with an error status is an answer.
  [[nodiscard]] std::expected<http::Response, ClientError> call(std::string_view method, std::string_view target,
                                                                std::string_view body = {},
                                                                std::span<const int> files = {});

 private:
  explicit Client(UniqueFd socket) : socket_(std::move(socket)) {}
  [[nodiscard]] bool send(std::string_view text, std::span<const int> files);

  UniqueFd socket_;
};

}  // namespace periplex::control

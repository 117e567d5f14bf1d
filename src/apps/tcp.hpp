// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "apps/open_file.hpp"
#include "loop/unique_fd.hpp"

/// TCP connections are made by the programs, and only here; the machine gets connected sockets.
namespace periplex::apps {

/// HOST, HOST:PORT, ADDRESS:PORT or [ADDRESS6]:PORT.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

/// A connection that sends small messages at once, and notices within about half a minute that the far end is gone.
[[nodiscard]] std::expected<UniqueFd, OpenError> connect_tcp(const Endpoint& endpoint);
/// A listening socket at `endpoint`.
[[nodiscard]] std::expected<UniqueFd, OpenError> listen_tcp(const Endpoint& endpoint);
/// The same properties for a connection that was accepted.
void tune_tcp(const UniqueFd& socket);

}  // namespace periplex::apps

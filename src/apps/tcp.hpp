// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/open_error.hpp"
#include "loop/unique_fd.hpp"

/// TCP connections and UDP ports are made by the programs, and only here; the machine gets connected sockets.
namespace periplex::apps {

/// HOST, HOST:PORT, ADDRESS:PORT or [ADDRESS6]:PORT.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

/// A socket address, as the kernel takes it.
using Address = std::vector<std::byte>;
/// The addresses of `endpoint`, which are never none. May wait for a name server; may be called on any thread.
[[nodiscard]] std::expected<std::vector<Address>, OpenError> resolve_tcp(const Endpoint& endpoint);
/// A non-blocking socket whose connection is made, or being made; what becomes of it, the socket tells. The error is
/// libc's.
[[nodiscard]] std::expected<UniqueFd, int> begin_tcp(const Address& address);

/// A connection that sends small messages at once, and notices within about half a minute that the far end is gone.
[[nodiscard]] std::expected<UniqueFd, OpenError> connect_tcp(const Endpoint& endpoint);
/// A listening socket at `endpoint`.
[[nodiscard]] std::expected<UniqueFd, OpenError> listen_tcp(const Endpoint& endpoint);
/// A UDP socket at `endpoint`.
[[nodiscard]] std::expected<UniqueFd, OpenError> bind_udp(const Endpoint& endpoint);
/// The same properties for a connection that was accepted.
void tune_tcp(const UniqueFd& socket);

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "apps/tcp.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace periplex::apps {
namespace {

constexpr int kConnectTimeoutMs = 10'000;
constexpr int kBacklog = 8;
// Keep-alive: seconds of silence, seconds between probes, probes.
constexpr int kIdle = 10;
constexpr int kInterval = 5;
constexpr int kProbes = 3;
constexpr unsigned kUserTimeoutMs = 30'000;  // for data that is not acknowledged

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

std::unexpected<OpenError> failure(std::string text, std::string advice) {
  return std::unexpected(OpenError{std::move(text), std::move(advice)});
}

std::expected<Addresses, OpenError> resolve(const Endpoint& endpoint, int flags, int type = SOCK_STREAM) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = fmt::format("{}", endpoint.port);
  const int error = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (error == 0) return Addresses(found, &::freeaddrinfo);
  return failure(fmt::format("{} is no computer's name or address: {}", endpoint.host, ::gai_strerror(error)),
                 "see whether it is right; write an IPv6 address in brackets, like [fd00::1]:3240");
}

void set(const UniqueFd& socket, int level, int option, int value) {
  (void)::setsockopt(socket.get(), level, option, &value, sizeof value);
}

/// The connected socket, or the error's number.
std::expected<UniqueFd, int> connect_to(const Address& address) {
  auto begun = begin_tcp(address);
  if (!begun) return std::unexpected(begun.error());
  UniqueFd socket = std::move(*begun);
  pollfd wait{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, kConnectTimeoutMs);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return std::unexpected(ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  if (ready < 0 || ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return std::unexpected(errno);
  if (error != 0) return std::unexpected(error);
  return socket;
}

std::string connect_advice(const Endpoint& endpoint, int error) {
  if (error == ECONNREFUSED) {
    return fmt::format(
        "nobody listens on port {} there: start the server (for USB/IP `usbipd -D`, for usbredir `usbredirect --device "
        "BUS-DEV --as ADDRESS:PORT`)",
        endpoint.port);
  }
  return "see whether that computer is on and reachable, and whether a firewall is in between";
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint{.host = {}, .port = default_port};
  std::string_view rest;  // what follows the host, with its colon
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    endpoint.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    endpoint.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (endpoint.host.empty()) return std::nullopt;
  if (rest.empty()) return endpoint;
  const std::string_view port = rest.substr(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  const bool whole = error == std::errc{} && end == port.data() + port.size();
  if (!rest.starts_with(':') || !whole || endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::expected<std::vector<Address>, OpenError> resolve_tcp(const Endpoint& endpoint) {
  const auto found = resolve(endpoint, 0);
  if (!found) return std::unexpected(found.error());
  std::vector<Address> addresses;
  for (const addrinfo* each = found->get(); each != nullptr; each = each->ai_next) {
    const auto* bytes = reinterpret_cast<const std::byte*>(each->ai_addr);
    addresses.emplace_back(bytes, bytes + each->ai_addrlen);
  }
  return addresses;
}

std::expected<UniqueFd, int> begin_tcp(const Address& address) {
  const auto* given = reinterpret_cast<const sockaddr*>(address.data());
  UniqueFd socket(::socket(given->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!socket) return std::unexpected(errno);
  tune_tcp(socket);
  if (::connect(socket.get(), given, static_cast<socklen_t>(address.size())) == 0) return socket;
  if (errno != EINPROGRESS) return std::unexpected(errno);
  return socket;
}

std::expected<UniqueFd, OpenError> connect_tcp(const Endpoint& endpoint) {
  const auto addresses = resolve_tcp(endpoint);
  if (!addresses) return std::unexpected(addresses.error());
  int error = 0;
  for (const Address& address : *addresses) {
    auto socket = connect_to(address);
    if (socket) return std::move(*socket);
    error = socket.error();
  }
  return failure(fmt::format("cannot connect to {} port {}: {}", endpoint.host, endpoint.port, std::strerror(error)),
                 connect_advice(endpoint, error));
}

std::expected<UniqueFd, OpenError> listen_tcp(const Endpoint& endpoint) {
  const auto addresses = resolve(endpoint, AI_PASSIVE);
  if (!addresses) return std::unexpected(addresses.error());
  const addrinfo& address = **addresses;
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (socket) set(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!socket || ::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    const int error = errno;
    return std::unexpected(
        OpenError{.text = fmt::format("cannot listen on port {}: {}", endpoint.port, std::strerror(error)),
                  .advice = "is another server there? Choose another port with --listen",
                  .error = error});
  }
  return socket;
}

std::expected<UniqueFd, OpenError> bind_udp(const Endpoint& endpoint) {
  const auto addresses = resolve(endpoint, AI_PASSIVE, SOCK_DGRAM);
  if (!addresses) return std::unexpected(addresses.error());
  const addrinfo& address = **addresses;
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!socket || ::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    return failure(fmt::format("cannot take UDP port {}: {}", endpoint.port, std::strerror(errno)),
                   "is another server there?");
  }
  return socket;
}

void tune_tcp(const UniqueFd& socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kIdle);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kInterval);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kUserTimeoutMs));
}

}  // namespace periplex::apps

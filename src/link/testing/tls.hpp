// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <sys/socket.h>
#include <utility>

#include "link/certificate.hpp"
#include "link/tls_context.hpp"
#include "loop/event_loop.hpp"

namespace periplex::link::testing {

/// Two stream sockets that are connected with each other.
inline std::pair<UniqueFd, UniqueFd> connected_sockets() {
  std::array<int, 2> ends{-1, -1};
  (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data());
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Runs the loop until `done`, at most for ten seconds of real time; whether it is.
inline bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  const Nanoseconds end = loop.now() + std::chrono::seconds(10);
  while (!done() && loop.now() < end) loop.run_once(std::chrono::milliseconds(20));
  return done();
}

/// An authority with a gate and a seat; made once, as keys cost time.
struct Certificates {
  Credentials authority = make_authority("authority").value_or(Credentials());
  Credentials gate = issue(authority, "gate", CertificateUse::gate).value_or(Credentials());
  Credentials seat = issue(authority, "seat-1", CertificateUse::seat).value_or(Credentials());

  static const Certificates& get() {
    static const Certificates certificates;
    return certificates;
  }
  [[nodiscard]] TlsContext::Settings for_gate() const {
    return {.role = TlsContext::Role::gate, .own = gate, .authority = authority.certificate};
  }
  [[nodiscard]] TlsContext::Settings for_agent() const {
    return {.role = TlsContext::Role::agent, .own = seat, .authority = authority.certificate};
  }
};

}  // namespace periplex::link::testing

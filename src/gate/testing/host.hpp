// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "gate/gate.hpp"
#include "gate/testing/agent.hpp"
#include "link/testing/tls.hpp"

namespace periplex::gate::testing {

/// A gate on a port of its own, and what its parent knows.
struct Host {
  Host() {
    listening = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    (void)::listen(listening.get(), 512);
    socklen_t size = sizeof address;
    (void)::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    datagrams = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::bind(datagrams.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);

    const auto& certificates = link::testing::Certificates::get();
    configuration.name = "host";
    configuration.own = certificates.gate;
    configuration.authority = certificates.authority.certificate;
    add_seat("desk", certificates.seat.certificate);
    restart();
  }

  void restart() {
    gate.reset();
    gate = std::make_unique<Gate>(loop, UniqueFd(::dup(listening.get())),
                                  takes_datagrams ? UniqueFd(::dup(datagrams.get())) : UniqueFd(),
                                  Gate::Events{.enrol =
                                                   [this](const EnrolmentQuestion& question) {
                                                     questions.push_back(question);
                                                     return true;
                                                   },
                                               .connect_worker =
                                                   [this](const std::string& machine) {
                                                     auto socket = connect_messages(workers.at(machine));
                                                     if (socket) gate->worker_connected(machine, std::move(*socket));
                                                   },
                                               .changed = [this] { ++changes; }});
    apply();
  }
  void apply() {
    const auto done = gate->configure(configuration);
    if (!done) throw std::runtime_error(done.error());
  }
  void add_seat(const std::string& name, const std::string& certificate) {
    configuration.seats.push_back({name, link::inspect(certificate)->fingerprint});
  }
  void add_machine(const std::string& name, const std::string& path) {
    configuration.machines.push_back(name);
    workers[name] = path;
    apply();
  }
  void bind(const std::string& seat, const std::string& peripheral, const std::string& machine) {
    configuration.bindings.push_back({seat, peripheral, machine});
    apply();
  }
  bool run(const std::function<bool()>& done) { return link::testing::run_until(loop, done); }
  void run_for(Nanoseconds duration) {
    const Nanoseconds end = loop.now() + duration;
    while (loop.now() < end) loop.run_once(end - loop.now());
  }
  /// State of a peripheral, as the parent sees it; empty: it is not offered.
  [[nodiscard]] std::string state_of(const std::string& seat, const std::string& peripheral) const {
    for (const SeatState& one : gate->state().seats) {
      if (one.name != seat) continue;
      for (const PeripheralState& each : one.peripherals) {
        if (each.id == peripheral) return each.state;
      }
    }
    return {};
  }

  EventLoop loop;
  UniqueFd listening;
  UniqueFd datagrams;
  bool takes_datagrams = true;  ///< from the next `restart` on
  std::uint16_t port = 0;
  Configuration configuration;
  std::map<std::string, std::string> workers;  // paths of their stream sockets
  std::vector<EnrolmentQuestion> questions;
  unsigned changes = 0;
  std::unique_ptr<Gate> gate;
};

}  // namespace periplex::gate::testing

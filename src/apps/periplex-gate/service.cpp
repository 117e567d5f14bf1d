// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/service.hpp"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.hpp"

namespace periplex::apps {

GateService::GateService(Sockets sockets)
    : workers_(loop_, std::move(sockets.workers),
               {.received = [this](std::string_view machine,
                                   UniqueFd socket) { gate_.worker_connected(machine, std::move(socket)); },
                .closed = [this] { loop_.stop(); }}),
      gate_(loop_, std::move(sockets.listening), std::move(sockets.datagrams),
            {.enrol = [this](const gate::EnrolmentQuestion& question) { return parent_.ask(question); },
             // What finds no room now is asked for again.
             .connect_worker = [this](const std::string& machine) { (void)workers_.send(machine); },
             .changed = [this] { parent_.show(); }}),
      parent_(loop_, std::move(sockets.parent),
              {.instructed = [this](gate::Instruction instruction) { instructed(std::move(instruction)); },
               .mistaken = [](const std::string& why) { log::error("gate", "an instruction is wrong: " + why); },
               .state = [this] { return state(); },
               .gone = [this] { loop_.stop(); }}) {}

void GateService::instructed(gate::Instruction instruction) {
  if (const auto* verdict = std::get_if<gate::EnrolmentVerdict>(&instruction)) return gate_.answer(*verdict);
  auto& configuration = std::get<gate::Configuration>(instruction);
  if (const auto done = gate_.configure(std::move(configuration)); !done) {
    log::error("gate", "the configuration cannot be used: " + done.error());
  }
}

gate::State GateService::state() const {
  gate::State state = gate_.state();
  state.confinement = confinement_;
  return state;
}

}  // namespace periplex::apps

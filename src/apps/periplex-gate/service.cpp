// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-gate/service.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <variant>

#include "base/log.hpp"

namespace periplex::apps {
namespace {

constexpr unsigned kFirstDescriptor = 3;

std::unexpected<std::string> failure(const char* what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

/// A connection of a seat costs two, an attached peripheral one more.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

GateService::GateService(UniqueFd listening, UniqueFd parent)
    : gate_(loop_, std::move(listening),
            {.enrol = [this](const gate::EnrolmentQuestion& question) { return parent_.ask(question); },
             .changed = [this] { parent_.show(); }}),
      parent_(loop_, std::move(parent),
              {.instructed = [this](gate::Instruction instruction) { instructed(std::move(instruction)); },
               .mistaken = [](const std::string& why) { log::error("gate", "an instruction is wrong: " + why); },
               .state = [this] { return gate_.state(); },
               .gone = [this] { loop_.stop(); }}) {}

void GateService::instructed(gate::Instruction instruction) {
  if (const auto* verdict = std::get_if<gate::EnrolmentVerdict>(&instruction)) return gate_.answer(*verdict);
  auto& configuration = std::get<gate::Configuration>(instruction);
  if (const auto done = gate_.configure(std::move(configuration)); !done) {
    log::error("gate", "the configuration cannot be used: " + done.error());
  }
}

std::expected<void, std::string> give_up_privileges(int listening, int parent) {
  const auto [low, high] = std::minmax(static_cast<unsigned>(listening), static_cast<unsigned>(parent));
  if (listening < 0 || parent < 0 || low < kFirstDescriptor || low == high) {
    return std::unexpected("the descriptors cannot be right: they are two, above standard error");
  }
  const auto close = [](unsigned first, unsigned last) { return first > last || ::close_range(first, last, 0) == 0; };
  if (!close(kFirstDescriptor, low - 1) || !close(low + 1, high - 1) || !close(high + 1, ~0U)) {
    return failure("cannot close other descriptors");
  }
  constexpr rlimit kNone{0, 0};
  if (::setrlimit(RLIMIT_CORE, &kNone) != 0) return failure("cannot forbid core files, which would hold keys");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("cannot give up new privileges");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("cannot forbid others to look inside");
  raise_descriptor_limit();
  for (const int descriptor : {listening, parent}) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
      return std::unexpected(fmt::format("descriptor {} is no stream socket", descriptor));
    }
  }
  return {};
}

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/serving.hpp"

#include <fmt/format.h>
#include <optional>
#include <signal.h>
#include <sys/signalfd.h>

#include "apps/open_file.hpp"
#include "apps/periplex/typist.hpp"
#include "apps/tcp.hpp"

namespace periplex::apps {
namespace {

std::unexpected<Failure> failure(std::string text, std::string advice) {
  return std::unexpected(Failure{std::move(text), std::move(advice)});
}

template <typename Error>
std::unexpected<Failure> failure(Error error) {
  return failure(std::move(error.text), std::move(error.advice));
}

/// Readable when the program is to end.
UniqueFd make_signals() {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return UniqueFd(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

Serving::Serving()
    : signals_(make_signals()),
      watch_(loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { loop_.stop(); })),
      pool_(std::make_unique<host::IoPool>(loop_)) {}

Serving::~Serving() = default;

std::expected<std::unique_ptr<machine::Plugged>, Failure> Serving::make(const std::string& specification) {
  auto description = machine::parse_specification(specification);
  if (!description) return failure(std::move(description.error()));
  if (description->is_remote()) {
    return failure(fmt::format("a {} peripheral is somewhere else already", description->kind()),
                   "serve peripherals of this computer");
  }
  auto files = open_files(*description);
  if (!files) return failure(std::move(files.error()));
  ++made_;
  if (description->id.empty()) description->id = fmt::format("{}{}", description->kind(), made_);
  if (!description->speed) description->speed = machine::natural_speed(*description);
  auto plugged = machine::Plugged::make(std::move(*description), std::move(*files), {}, loop_, *pool_);
  if (!plugged) return failure(std::move(plugged.error()));
  if ((*plugged)->lock()) locks_.push_back((*plugged)->lock());
  return std::move(*plugged);
}

std::expected<UniqueFd, Failure> Serving::listen(const std::string& where, std::uint16_t default_port) {
  const auto endpoint = parse_endpoint(where, default_port);
  if (!endpoint) {
    return failure(fmt::format("{} is no ADDRESS:PORT", where),
                   fmt::format("write it like 127.0.0.1:{}", default_port));
  }
  auto listening = listen_tcp(*endpoint);
  if (!listening) return failure(std::move(listening.error()));
  return std::move(*listening);
}

void Serving::run(machine::Plugged* keyboard) {
  std::optional<Typist> typist;
  if (keyboard != nullptr) typist.emplace(loop_, *keyboard);
  loop_.run();
}

void Serving::finish() {
  pool_.reset();  // performs the writes it has accepted
  for (const auto& lock : locks_) lock->sync();
}

}  // namespace periplex::apps

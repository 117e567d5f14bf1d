// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/log.hpp"

namespace periplex::apps {
namespace {

std::string how(int status) {
  if (WIFEXITED(status)) return fmt::format("with status {}", WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return fmt::format("by signal {}", WTERMSIG(status));
  return "somehow";
}

}  // namespace

Child::Child(EventLoop& loop, Plan plan)
    : loop_(loop), plan_(std::move(plan)), again_(loop.make_timer([this] { start(); })) {}

Child::~Child() {
  if (!running()) return;
  signal(SIGKILL);
  if (!taken_on_) (void)::waitpid(process_, nullptr, 0);
}

void Child::start() {
  if (running() || stopping_) return;
  started_ = loop_.now();
  if (take_on()) return;
  const int error = spawn();
  if (error != 0) {
    log::error("apps", fmt::format("cannot start {}: {}", plan_.name, std::strerror(error)));
    again_->arm(std::exchange(pause_, std::min(pause_ * 2, kLastPause)));
    return;
  }
  // glibc 2.36 declares pidfd_open for C only, so it is called by number.
  handle_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process_, 0)));
  watch();
  log::info("apps", fmt::format("{} is running (process {})", plan_.name, process_));
  if (plan_.started) plan_.started();
}

bool Child::take_on() {
  auto found = plan_.find ? plan_.find() : std::nullopt;
  taken_on_ = found.has_value();
  if (!found) return false;
  process_ = found->process;
  handle_ = std::move(found->handle);
  watch();
  log::info("apps", fmt::format("{} was running already (process {}), and is taken on", plan_.name, process_));
  return true;
}

void Child::watch() {
  if (handle_) watch_ = loop_.watch(handle_.get(), EPOLLIN, [this](std::uint32_t) { ended_somehow(); });
}

void Child::signal(int number) const {
  // By its handle, as the number of a process that is not our child may be another's by now.
  if (handle_) {
    (void)::syscall(SYS_pidfd_send_signal, handle_.get(), number, nullptr, 0);
  } else {
    (void)::kill(process_, number);
  }
}

int Child::spawn() {
  std::vector<std::string> words = plan_.arguments();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  if (plan_.descriptors) {
    for (const auto& [from, to] : plan_.descriptors()) ::posix_spawn_file_actions_adddup2(&actions, from, to);
  }
  // Signals that we have blocked to read them from a descriptor are the child's own matter.
  sigset_t none;
  sigset_t usual;
  ::sigemptyset(&none);
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  // A group of its own: the terminal's interrupt is for us, who then end it in order.
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t process = 0;
  const int error = ::posix_spawn(&process, words.front().c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) process_ = process;
  return error;
}

void Child::ended_somehow() {
  int status = 0;
  if (!taken_on_ && ::waitpid(process_, &status, WNOHANG) != process_) return;
  watch_.reset();
  handle_.reset();
  process_ = 0;
  if (stopping_) {
    if (const auto ended = std::exchange(ended_, nullptr)) ended();
    return;
  }
  if (loop_.now() - started_ >= kLasts) pause_ = kFirstPause;
  log::warning("apps", fmt::format("{} has ended{}; it is started again", plan_.name,
                                   taken_on_ ? std::string() : " " + how(status)));
  again_->arm(std::exchange(pause_, std::min(pause_ * 2, kLastPause)));
}

void Child::stop(std::function<void()> ended) {
  stopping_ = true;
  again_->cancel();
  ended_ = std::move(ended);
  if (running()) {
    signal(SIGTERM);
    return;
  }
  if (const auto done = std::exchange(ended_, nullptr)) done();
}

}  // namespace periplex::apps

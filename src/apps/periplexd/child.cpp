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
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  (void)::waitpid(process_, nullptr, 0);
}

void Child::start() {
  if (running() || stopping_) return;
  started_ = loop_.now();
  const int error = spawn();
  if (error != 0) {
    log::error("apps",
               fmt::format("cannot start {} ({}): {}", plan_.name, plan_.arguments.front(), std::strerror(error)));
    again_->arm(std::exchange(pause_, std::min(pause_ * 2, kLastPause)));
    return;
  }
  // glibc 2.36 declares pidfd_open for C only, so it is called by number.
  handle_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process_, 0)));
  if (handle_) watch_ = loop_.watch(handle_.get(), EPOLLIN, [this](std::uint32_t) { reap(); });
  log::info("apps", fmt::format("{} is running (process {})", plan_.name, process_));
  if (plan_.started) plan_.started();
}

int Child::spawn() {
  std::vector<char*> arguments;
  for (const std::string& argument : plan_.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
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
  const int error =
      ::posix_spawn(&process, plan_.arguments.front().c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) process_ = process;
  return error;
}

void Child::reap() {
  int status = 0;
  if (::waitpid(process_, &status, WNOHANG) != process_) return;
  watch_.reset();
  handle_.reset();
  process_ = 0;
  if (stopping_) {
    if (const auto ended = std::exchange(ended_, nullptr)) ended();
    return;
  }
  if (loop_.now() - started_ >= kLasts) pause_ = kFirstPause;
  log::warning("apps", fmt::format("{} has ended {}; it is started again", plan_.name, how(status)));
  again_->arm(std::exchange(pause_, std::min(pause_ * 2, kLastPause)));
}

void Child::stop(std::function<void()> ended) {
  stopping_ = true;
  again_->cancel();
  ended_ = std::move(ended);
  if (running()) {
    ::kill(process_, SIGTERM);
    return;
  }
  if (const auto done = std::exchange(ended_, nullptr)) done();
}

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/consent_command.hpp"

#include <cstring>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.hpp"

namespace periplex::apps {
namespace {

/// Starts `words` with signals as a program expects them; a libc error number on failure.
int start(std::vector<std::string> words, pid_t& child) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int error = ::posix_spawnp(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

void ConsentCommand::ask(const std::string& id, const seat::Peripheral& peripheral, Answer answer) {
  std::vector<std::string> words = words_;
  words.push_back(peripheral.description);
  words.push_back(id);
  // What a device says of itself ends where a program would see the end of an argument.
  for (std::string& word : words) word.resize(std::strlen(word.c_str()));
  pid_t child = 0;
  const int error = words_.empty() || questions_.size() == kMostQuestions ? EAGAIN : start(std::move(words), child);
  if (error != 0) {
    log::warning("apps", fmt::format("cannot ask for consent to offer {}: {}", id, std::strerror(error)));
    return answer(false);
  }
  Question& question = questions_[child];
  question.answer = std::move(answer);
  question.process = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!question.process) {
    ::kill(child, SIGKILL);  // what cannot be waited for without waiting
    return on_ended(child);
  }
  question.watch = loop_.watch(question.process.get(), EPOLLIN, [this, child](std::uint32_t) { on_ended(child); });
}

void ConsentCommand::on_ended(pid_t child) {
  auto question = questions_.extract(child);
  if (question.empty()) return;
  question.mapped().watch.reset();
  int status = 0;
  const bool ended = ::waitpid(child, &status, 0) == child;
  question.mapped().answer(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

ConsentCommand::~ConsentCommand() {
  for (const auto& [child, question] : questions_) {
    ::kill(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
  }
}

}  // namespace periplex::apps

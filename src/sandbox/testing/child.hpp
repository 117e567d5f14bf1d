// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace periplex::sandbox::testing {

/// What became of a child: what it said, and how it ended.
struct Outcome {
  std::string said;
  int status = 0;
  [[nodiscard]] bool killed_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

/// The descriptor by which a child speaks to its test; nobody else has so high a one.
inline constexpr int kToTheTest = 90;

/// Runs `body` in a process of its own, which gives up what the test's may not; what it returns is what it says.
inline Outcome in_child(const std::function<std::string()>& body) {
  std::array<int, 2> ends{};
  Outcome outcome;
  if (::pipe(ends.data()) != 0) return outcome;
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::dup2(ends[1], kToTheTest);
    const std::string said = body();
    (void)!::write(kToTheTest, said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::array<char, 512> part{};
  for (ssize_t count = 0; (count = ::read(ends[0], part.data(), part.size())) > 0;) {
    outcome.said.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  (void)::waitpid(child, &outcome.status, 0);
  return outcome;
}

/// "ok", or the name of the error.
inline std::string said(long result) {
  return result >= 0 ? "ok" : ::strerrorname_np(errno);
}

}  // namespace periplex::sandbox::testing

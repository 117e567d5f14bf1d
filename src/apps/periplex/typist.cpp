// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/typist.hpp"

#include <array>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

namespace periplex::apps {
namespace {

constexpr Nanoseconds kPause = std::chrono::milliseconds(20);
constexpr std::size_t kMostPending = 64 * 1024;
constexpr std::size_t kTextPiece = 500;

/// A regular file cannot be waited for, and /dev/null has nothing to say.
bool standard_input_speaks() {
  struct stat status{};
  return ::isatty(STDIN_FILENO) == 1 ||
         (::fstat(STDIN_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)));
}

}  // namespace

Typist::Typist(EventLoop& loop, machine::Plugged& keyboard)
    : keyboard_(keyboard), pause_(loop.make_timer([this] { type(); })) {
  if (standard_input_speaks()) watch_ = loop.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { read(); });
}

void Typist::read() {
  std::array<char, 4096> bytes;
  const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (count <= 0) return watch_.reset();
  pending_.append(bytes.data(), static_cast<std::size_t>(count));
  if (pending_.size() > kMostPending) watch_->set_events(0);
  type();
}

void Typist::type() {
  while (!pending_.empty()) {
    const std::string piece = pending_.substr(0, kTextPiece);
    if (const auto typed = keyboard_.type(piece); !typed) {
      if (typed.error().reason == machine::Reason::busy) return pause_->arm(kPause);
      std::fprintf(stderr, "periplex: not typed: %s\n", typed.error().text.c_str());
    }
    pending_.erase(0, piece.size());
  }
  if (watch_) watch_->set_events(EPOLLIN);
}

}  // namespace periplex::apps

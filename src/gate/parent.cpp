// SPDX-License-Identifier: Apache-2.0
#include "gate/parent.hpp"

#include <utility>
#include <variant>

namespace periplex::gate {
namespace {

Bytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

}  // namespace

Parent::Parent(EventLoop& loop, UniqueFd socket, Events events)
    : events_(std::move(events)),
      pause_(loop.make_timer([this] { say_state(); })),
      stream_(loop, std::move(socket),
              {.received = [this](ByteView bytes) { received(bytes); },
               .closed = [this](const std::string&) { events_.gone(); },
               .drained =
                   [this] {
                     if (due_) say_state();
                   }}) {}

void Parent::show() {
  due_ = true;
  if (!pause_->armed()) pause_->arm(kPause);
}

bool Parent::ask(const EnrolmentQuestion& question) {
  if (stream_.queued() > kMaxQueued) return false;
  stream_.send(bytes_of(to_line(question)));
  return true;
}

void Parent::received(ByteView bytes) {
  const bool fits = lines_.feed(bytes, [this](std::string_view line) {
    auto instruction = parse_instruction(line);
    if (!instruction) return events_.mistaken(instruction.error());
    events_.instructed(std::move(*instruction));
  });
  if (fits) return;
  events_.mistaken("the parent's line has no end");
  events_.gone();
}

void Parent::say_state() {
  if (stream_.queued() > 0) return;  // `drained` follows
  due_ = false;
  std::string line = to_line(events_.state());
  if (line == said_) return;
  stream_.send(bytes_of(line));
  said_ = std::move(line);
}

}  // namespace periplex::gate

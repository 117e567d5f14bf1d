// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gate/documents.hpp"
#include "gate/lines.hpp"
#include "loop/byte_stream.hpp"

namespace periplex::gate {

/// The gate's end of the socket between it and its parent.
///
/// A parent that does not read does not make the gate grow: there is one state at most on the way, and a new one is
/// asked for when the parent has taken that; a question that finds no room is not asked.
class Parent {
 public:
  struct Events {
    std::function<void(Instruction instruction)> instructed;
    /// A line that cannot be understood; it changes nothing.
    std::function<void(const std::string& why)> mistaken;
    /// What `show` is to say now.
    std::function<State()> state;
    std::function<void()> gone;
  };
  /// Changes that come together are told together.
  static constexpr Nanoseconds kPause = std::chrono::milliseconds(50);
  static constexpr std::size_t kMaxQueued = std::size_t{1} << 20;

  Parent(EventLoop& loop, UniqueFd socket, Events events);

  /// The state has changed.
  void show();
  /// False: there is no room.
  [[nodiscard]] bool ask(const EnrolmentQuestion& question);

 private:
  void received(ByteView bytes);
  void say_state();

  Events events_;
  LineReader lines_;
  bool due_ = false;
  std::unique_ptr<Timer> pause_;
  std::string said_;  // the last state
  ByteStream stream_;
};

}  // namespace periplex::gate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "apps/periplexd/running_process.hpp"
#include "loop/event_loop.hpp"

namespace periplex::apps {

/// A program that is kept running: when it ends it is started again, after a while that grows as long as it does not
/// last. One that runs already can be taken on.
class Child {
 public:
  struct Plan {
    std::string name;  ///< for the log
    /// The first is the program's path; asked for at each start.
    std::function<std::vector<std::string>()> arguments{};
    /// Open descriptors that it gets, and their numbers there; asked for at each start.
    std::function<std::vector<std::pair<int, int>>()> descriptors{};
    /// It has been started.
    std::function<void()> started{};
    /// Whether it runs already, as somebody else has started it: then it is taken on instead, and started again when it
    /// ends. Asked at each start.
    std::function<std::optional<RunningProcess>()> find{};
  };
  static constexpr Nanoseconds kFirstPause = std::chrono::milliseconds(500);
  static constexpr Nanoseconds kLastPause = std::chrono::seconds(30);
  static constexpr Nanoseconds kLasts = std::chrono::seconds(10);

  Child(EventLoop& loop, Plan plan);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Kills it, if it still runs.
  ~Child();

  void start();
  /// Asks it to end, and does not start it again. `ended` is called once it has.
  void stop(std::function<void()> ended);
  [[nodiscard]] bool running() const { return process_ > 0; }
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  [[nodiscard]] bool take_on();
  [[nodiscard]] int spawn();
  void watch();
  void ended_somehow();
  void signal(int number) const;

  EventLoop& loop_;
  const Plan plan_;
  pid_t process_ = 0;
  bool taken_on_ = false;  // it is no child of ours, and its status is not for us
  UniqueFd handle_;
  std::unique_ptr<EventLoop::Watch> watch_;
  Nanoseconds started_{};
  Nanoseconds pause_ = kFirstPause;
  std::unique_ptr<Timer> again_;
  bool stopping_ = false;
  std::function<void()> ended_;
};

}  // namespace periplex::apps

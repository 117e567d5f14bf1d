// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "loop/event_loop.hpp"
#include "machine/plugged.hpp"

namespace periplex::apps {

/// Types what comes on standard input at a keyboard, as fast as the guest that uses it fetches it.
class Typist {
 public:
  /// `keyboard` must outlive this.
  Typist(EventLoop& loop, machine::Plugged& keyboard);

 private:
  void read();
  void type();

  machine::Plugged& keyboard_;
  std::unique_ptr<Timer> pause_;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::string pending_;
};

}  // namespace periplex::apps

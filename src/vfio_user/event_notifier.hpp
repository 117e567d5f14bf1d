// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "loop/unique_fd.hpp"

namespace periplex::vfio_user {

/// An eventfd(2) of a client's: how an interrupt reaches it, or how it reaches us.
class EventNotifier {
 public:
  /// Takes `fd` if it is a descriptor of the right kind. It is made non-blocking, so that no client can stop our loop.
  [[nodiscard]] static std::optional<EventNotifier> adopt(UniqueFd fd);

  /// One write(2). A counter that is full holds an event already.
  void signal();
  /// Takes the events that have come. False if the descriptor is of no more use.
  [[nodiscard]] bool drain();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit EventNotifier(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace periplex::vfio_user

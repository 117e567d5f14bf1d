// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "remote/usbredir/messages.hpp"

namespace periplex::remote::usbredir {

/// Where the parts of a session send.
class Wire {
 public:
  virtual void send(MessageId id, const Message& message) = 0;
  /// Sends a request under a number that was never used before, and returns it.
  virtual MessageId request(const Message& message) = 0;

 protected:
  ~Wire() = default;
};

}  // namespace periplex::remote::usbredir

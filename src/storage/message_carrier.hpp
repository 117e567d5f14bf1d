// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/bytes.hpp"

namespace periplex::storage {

/// Carries whole messages between worker and agent: in order, each exactly once, for as long as both live.
class MessageCarrier {
 public:
  class Receiver {
   public:
    /// Called on the loop, never from inside `send`. `message` is valid during the call.
    virtual void on_message(ByteView message) = 0;

   protected:
    ~Receiver() = default;
  };

  /// Queues `message` for the far end.
  virtual void send(Bytes message) = 0;
  /// How many bytes of messages wait here because the far end does not take them fast enough.
  [[nodiscard]] virtual std::size_t waiting() const { return 0; }
  /// Who takes what arrives from now on; null for nobody.
  virtual void set_receiver(Receiver* receiver) = 0;

 protected:
  ~MessageCarrier() = default;
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace periplex::guest {

/// The way from one PCI function to its machine's interrupt controller. Calls never block.
class Interrupts {
 public:
  virtual ~Interrupts() = default;
  /// Sends the message of MSI or MSI-X vector `vector`. Without a taker it is remembered and sent once there is one.
  virtual void send_message(unsigned vector) = 0;
  /// Whether a message of `vector` waits for a taker (the Pending Bit Array's bit).
  [[nodiscard]] virtual bool message_pending(unsigned vector) const = 0;
  /// The level of the function's INTx pin. Repeating the level it has is free.
  virtual void set_pin(bool asserted) = 0;
};

}  // namespace periplex::guest

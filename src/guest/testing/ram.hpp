// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "guest/interrupts.hpp"
#include "guest/memory.hpp"

namespace periplex::guest::testing {

/// Guest RAM that is a plain vector.
class VectorBacking final : public Backing {
 public:
  explicit VectorBacking(std::size_t size) : bytes_(size) {}
  [[nodiscard]] MutableByteView bytes() override { return bytes_; }

 private:
  Bytes bytes_;
};

/// A memory with `size` bytes of writable RAM at address 0.
[[nodiscard]] inline std::unique_ptr<Memory> make_ram(std::size_t size) {
  auto memory = std::make_unique<Memory>();
  (void)memory->map(GuestAddress(0), size, std::make_shared<VectorBacking>(size), 0, true);
  return memory;
}

/// Counts messages per vector and remembers the pin.
class RecordedInterrupts final : public Interrupts {
 public:
  void send_message(unsigned vector) override {
    if (messages.size() <= vector) messages.resize(vector + 1);
    ++messages[vector];
  }
  [[nodiscard]] bool message_pending(unsigned) const override { return false; }
  void set_pin(bool asserted) override { pin = asserted; }

  [[nodiscard]] unsigned count(unsigned vector) const { return vector < messages.size() ? messages[vector] : 0; }

  std::vector<unsigned> messages;
  bool pin = false;
};

/// Takes all of `memory` that was made with `make_ram` away, and gives what maps it again as it was: what a monitor
/// does with some of it when its memory map changes.
[[nodiscard]] inline std::function<void()> take_away(Memory& memory, std::size_t size) {
  auto kept = std::make_shared<VectorBacking>(size);
  (void)memory.read(GuestAddress(0), kept->bytes());
  memory.clear();
  return [&memory, size, kept] { (void)memory.map(GuestAddress(0), size, kept, 0, true); };
}

}  // namespace periplex::guest::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>

namespace periplex::host {

/// The memory that usbfs lets all programs of this computer have in transfers under way, as far as it is ours to use.
///
/// Linux refuses a submission that would exceed it (module parameter usbcore.usbfs_memory_mb). Who gets none here waits
/// until somebody's transfer has come back.
class UsbfsMemory {
 public:
  class Waiter {
   public:
    virtual void memory_available() = 0;

   protected:
    ~Waiter() = default;
  };

  /// What the kernel's parameter says, less a share for other programs. No limit where the parameter is 0.
  [[nodiscard]] static std::size_t limit_of_this_computer();

  /// In bytes; 0: none.
  explicit UsbfsMemory(std::size_t limit) : limit_(limit) {}
  UsbfsMemory(const UsbfsMemory&) = delete;
  UsbfsMemory& operator=(const UsbfsMemory&) = delete;

  /// Whether `size` bytes may be used now. The first always may, whatever its size.
  [[nodiscard]] bool take(std::size_t size);
  void give(std::size_t size);
  /// Tells `waiter`, once, when something has been given back.
  void wait(Waiter& waiter);
  void forget(Waiter& waiter);

  [[nodiscard]] std::size_t in_use() const { return in_use_; }

 private:
  const std::size_t limit_;
  std::size_t in_use_ = 0;
  std::deque<Waiter*> waiters_;
  bool telling_ = false;
};

}  // namespace periplex::host

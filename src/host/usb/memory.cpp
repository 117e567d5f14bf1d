// SPDX-License-Identifier: Apache-2.0
#include "host/usb/memory.hpp"

#include <algorithm>
#include <fstream>

namespace periplex::host {
namespace {

constexpr const char* kParameter = "/sys/module/usbcore/parameters/usbfs_memory_mb";
constexpr std::size_t kDefaultMebibytes = 16;  // of Linux

}  // namespace

std::size_t UsbfsMemory::limit_of_this_computer() {
  std::size_t mebibytes = kDefaultMebibytes;
  std::ifstream file(kParameter);
  if (std::size_t value = 0; file >> value) mebibytes = value;
  return (mebibytes << 20) / 4 * 3;
}

bool UsbfsMemory::take(std::size_t size) {
  if (limit_ != 0 && in_use_ != 0 && in_use_ + size > limit_) return false;
  in_use_ += size;
  return true;
}

void UsbfsMemory::give(std::size_t size) {
  in_use_ -= size;
  if (telling_) return;
  telling_ = true;
  // Who still gets none waits again, behind those that were told.
  for (std::size_t left = waiters_.size(); left > 0 && !waiters_.empty(); --left) {
    Waiter& waiter = *waiters_.front();
    waiters_.pop_front();
    waiter.memory_available();
  }
  telling_ = false;
}

void UsbfsMemory::wait(Waiter& waiter) {
  if (std::ranges::find(waiters_, &waiter) == waiters_.end()) waiters_.push_back(&waiter);
}

void UsbfsMemory::forget(Waiter& waiter) {
  std::erase(waiters_, &waiter);
}

}  // namespace periplex::host

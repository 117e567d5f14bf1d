// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <type_traits>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "guest/address.hpp"

namespace periplex::usb::xhci::testing {

using guest::GuestAddress;

/// A guest's own view of its memory: plain bytes that begin at guest address 0, and an allocator that only grows.
///
/// The other side may look at any time: what passes ownership is written with release, read with acquire.
class GuestRam {
 public:
  /// Nothing is allocated below `first_free`, so that address 0 stays an obvious mistake.
  explicit GuestRam(MutableByteView bytes, std::uint64_t first_free = 0x1000) : bytes_(bytes), next_(first_free) {}

  /// Zeroed bytes. `alignment` is a power of two.
  [[nodiscard]] GuestAddress allocate(std::uint64_t size, std::uint64_t alignment = 64) {
    const std::uint64_t at = (next_ + alignment - 1) & ~(alignment - 1);
    PERIPLEX_CHECK(at <= bytes_.size() && size <= bytes_.size() - at);
    next_ = at + size;
    std::memset(bytes_.data() + at, 0, size);
    return GuestAddress(at);
  }

  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] MutableByteView bytes(GuestAddress address, std::uint64_t size) const {
    return bytes_.subspan(address.value, size);
  }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T read(GuestAddress address) const {
    T value;
    std::memcpy(&value, bytes_.data() + address.value, sizeof value);
    return value;
  }
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void write(GuestAddress address, const T& value) const {
    std::memcpy(bytes_.data() + address.value, &value, sizeof value);
  }
  [[nodiscard]] std::uint32_t load_acquire(GuestAddress address) const {
    return __atomic_load_n(word(address), __ATOMIC_ACQUIRE);
  }
  void store_release(GuestAddress address, std::uint32_t value) const {
    __atomic_store_n(word(address), value, __ATOMIC_RELEASE);
  }

 private:
  [[nodiscard]] std::uint32_t* word(GuestAddress address) const {
    return reinterpret_cast<std::uint32_t*>(bytes_.data() + address.value);
  }

  MutableByteView bytes_;
  std::uint64_t next_;
};

}  // namespace periplex::usb::xhci::testing

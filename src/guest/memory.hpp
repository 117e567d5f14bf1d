// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <expected>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "guest/address.hpp"

namespace periplex::guest {

/// Why guest memory could not be reached. A guest can cause each of them; each has its answer in the manuals.
enum class Fault : std::uint8_t {
  unmapped,      ///< no memory at (part of) the range
  not_writable,  ///< the range holds memory that the machine's monitor shares read-only
};

/// Host memory that backs guest memory. It stays mapped as long as somebody holds it.
class Backing {
 public:
  virtual ~Backing() = default;
  /// All bytes of the backing; the guest may change them at any time.
  [[nodiscard]] virtual MutableByteView bytes() = 0;
};

/// Direction of a bulk move, from the view of guest memory.
enum class Intent : std::uint8_t { read, write };

/// A range of guest memory held for a bulk move: one span per contiguous piece.
///
/// Keeps the backing mapped even if the guest's monitor withdraws the range meanwhile, so the spans never dangle. Only
/// for data; structures are read by value through `Memory::read`.
class PinnedRange {
 public:
  PinnedRange() = default;

  [[nodiscard]] const std::vector<MutableByteView>& spans() const { return spans_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Adds the pieces of `other` behind this one's; pieces that are neighbours become one.
  void append(PinnedRange&& other);

 private:
  friend class Memory;
  void add(MutableByteView span, std::shared_ptr<Backing> backing);

  std::vector<MutableByteView> spans_;
  std::vector<std::shared_ptr<Backing>> backings_;
  std::size_t size_ = 0;
};

/// One machine's physical memory as a controller's DMA sees it.
///
/// No raw guest pointer escapes: structures are copied once, by value; bulk data moves through bounds-checked spans.
/// The guest is the only concurrent actor; words that pass ownership are read with acquire and written with release
/// order.
class Memory {
 public:
  /// Maps `backing`[`offset`, `offset + size`) at `address`, replacing nothing: an overlap with a present region is
  /// refused with `false`, as is a range that leaves the address space or the backing.
  [[nodiscard]] bool map(GuestAddress address, std::uint64_t size, std::shared_ptr<Backing> backing,
                         std::uint64_t offset, bool writable);
  /// Removes the region that starts at `address` with exactly `size`; `false` if there is none.
  bool unmap(GuestAddress address, std::uint64_t size);
  void clear();
  /// How often the map has changed.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] std::size_t regions() const { return regions_.size(); }
  [[nodiscard]] std::uint64_t mapped_bytes() const;

  [[nodiscard]] std::expected<void, Fault> read(GuestAddress address, MutableByteView out) const;
  [[nodiscard]] std::expected<void, Fault> write(GuestAddress address, ByteView in);

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::expected<T, Fault> read(GuestAddress address) const {
    T value;
    if (auto done = read(address, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value)); !done) {
      return std::unexpected(done.error());
    }
    return value;
  }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::expected<void, Fault> write(GuestAddress address, const T& value) {
    return write(address, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }

  /// A naturally aligned 32-bit word that passes ownership to us: what is read after it was written before it.
  [[nodiscard]] std::expected<std::uint32_t, Fault> load_acquire(GuestAddress address) const;
  /// A naturally aligned 32-bit word that passes ownership to the guest: all we wrote before is visible with it.
  [[nodiscard]] std::expected<void, Fault> store_release(GuestAddress address, std::uint32_t value);

  /// Whether all of [`address`, `address + size`) is there for `intent`.
  [[nodiscard]] std::expected<void, Fault> check(GuestAddress address, std::uint64_t size, Intent intent) const;
  /// Holds [`address`, `address + size`) for a bulk move.
  [[nodiscard]] std::expected<PinnedRange, Fault> pin(GuestAddress address, std::uint64_t size, Intent intent) const;

 private:
  struct Region {
    std::uint64_t start;
    std::uint64_t size;
    std::shared_ptr<Backing> backing;
    std::byte* bytes;  // of the region's first byte, inside `backing`
    bool writable;

    [[nodiscard]] bool contains(std::uint64_t address) const { return address - start < size; }
  };

  [[nodiscard]] const Region* find(std::uint64_t address) const;
  template <typename Visit>
  [[nodiscard]] std::expected<void, Fault> for_each_piece(GuestAddress address, std::uint64_t size, bool write,
                                                          Visit visit) const;
  [[nodiscard]] std::expected<std::byte*, Fault> word(GuestAddress address, bool write) const;

  std::vector<Region> regions_;  // sorted by start, disjoint
  std::uint64_t changes_ = 0;
  mutable std::size_t last_hit_ = 0;
};

}  // namespace periplex::guest

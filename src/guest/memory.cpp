// SPDX-License-Identifier: Apache-2.0
#include "guest/memory.hpp"

#include <algorithm>
#include <limits>

namespace periplex::guest {

void PinnedRange::add(MutableByteView span, std::shared_ptr<Backing> backing) {
  size_ += span.size();
  if (!spans_.empty() && backings_.back() == backing && spans_.back().data() + spans_.back().size() == span.data()) {
    spans_.back() = {spans_.back().data(), spans_.back().size() + span.size()};
    return;
  }
  spans_.push_back(span);
  backings_.push_back(std::move(backing));
}

void PinnedRange::append(PinnedRange&& other) {
  for (std::size_t i = 0; i < other.spans_.size(); ++i) add(other.spans_[i], std::move(other.backings_[i]));
  other = {};
}

bool Memory::map(GuestAddress address, std::uint64_t size, std::shared_ptr<Backing> backing, std::uint64_t offset,
                 bool writable) {
  const std::uint64_t start = address.value;
  if (size == 0 || size - 1 > std::numeric_limits<std::uint64_t>::max() - start) return false;
  const MutableByteView bytes = backing->bytes();
  if (offset > bytes.size() || size > bytes.size() - offset) return false;
  const auto next = std::ranges::lower_bound(regions_, start, {}, &Region::start);
  if (next != regions_.end() && next->start - start < size) return false;
  if (next != regions_.begin() && std::prev(next)->contains(start)) return false;
  regions_.insert(next, Region{start, size, std::move(backing), bytes.data() + offset, writable});
  ++changes_;
  return true;
}

bool Memory::unmap(GuestAddress address, std::uint64_t size) {
  ++changes_;
  return std::erase_if(regions_, [&](const Region& r) { return r.start == address.value && r.size == size; }) != 0;
}

void Memory::clear() {
  ++changes_;
  regions_.clear();
}

std::uint64_t Memory::mapped_bytes() const {
  std::uint64_t sum = 0;
  for (const Region& region : regions_) sum += region.size;
  return sum;
}

const Memory::Region* Memory::find(std::uint64_t address) const {
  if (last_hit_ < regions_.size() && regions_[last_hit_].contains(address)) return &regions_[last_hit_];
  const auto after = std::ranges::upper_bound(regions_, address, {}, &Region::start);
  if (after == regions_.begin() || !std::prev(after)->contains(address)) return nullptr;
  last_hit_ = static_cast<std::size_t>(std::prev(after) - regions_.begin());
  return &regions_[last_hit_];
}

template <typename Visit>
std::expected<void, Fault> Memory::for_each_piece(GuestAddress address, std::uint64_t size, bool write,
                                                  Visit visit) const {
  while (size > 0) {
    const Region* region = find(address.value);
    if (region == nullptr) return std::unexpected(Fault::unmapped);
    if (write && !region->writable) return std::unexpected(Fault::not_writable);
    const std::uint64_t offset = address.value - region->start;
    const std::uint64_t length = std::min(size, region->size - offset);
    visit(*region, MutableByteView(region->bytes + offset, length));
    address = address + length;
    size -= length;
  }
  return {};
}

std::expected<void, Fault> Memory::read(GuestAddress address, MutableByteView out) const {
  return for_each_piece(address, out.size(), false, [&](const Region&, MutableByteView piece) {
    std::memcpy(out.data(), piece.data(), piece.size());
    out = out.subspan(piece.size());
  });
}

std::expected<void, Fault> Memory::write(GuestAddress address, ByteView in) {
  return for_each_piece(address, in.size(), true, [&](const Region&, MutableByteView piece) {
    std::memcpy(piece.data(), in.data(), piece.size());
    in = in.subspan(piece.size());
  });
}

std::expected<void, Fault> Memory::check(GuestAddress address, std::uint64_t size, Intent intent) const {
  return for_each_piece(address, size, intent == Intent::write, [](const Region&, MutableByteView) {});
}

std::expected<std::byte*, Fault> Memory::word(GuestAddress address, bool write) const {
  const Region* region = find(address.value);
  if (region == nullptr || address.value % 4 != 0 || address.value - region->start + 4 > region->size) {
    return std::unexpected(Fault::unmapped);
  }
  if (write && !region->writable) return std::unexpected(Fault::not_writable);
  return region->bytes + (address.value - region->start);
}

std::expected<std::uint32_t, Fault> Memory::load_acquire(GuestAddress address) const {
  const auto at = word(address, false);
  if (!at) return std::unexpected(at.error());
  return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(*at), __ATOMIC_ACQUIRE);
}

std::expected<void, Fault> Memory::store_release(GuestAddress address, std::uint32_t value) {
  const auto at = word(address, true);
  if (!at) return std::unexpected(at.error());
  __atomic_store_n(reinterpret_cast<std::uint32_t*>(*at), value, __ATOMIC_RELEASE);
  return {};
}

std::expected<PinnedRange, Fault> Memory::pin(GuestAddress address, std::uint64_t size, Intent intent) const {
  PinnedRange range;
  const auto done =
      for_each_piece(address, size, intent == Intent::write,
                     [&](const Region& region, MutableByteView piece) { range.add(piece, region.backing); });
  if (!done) return std::unexpected(done.error());
  return range;
}

}  // namespace periplex::guest

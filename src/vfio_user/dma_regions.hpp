// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <map>
#include <system_error>

#include "vfio_user/protocol.hpp"
#include "vfio_user/shared_file.hpp"

namespace periplex::vfio_user {

/// One client's DMA regions ("VFIO_USER_DMA_MAP", "VFIO_USER_DMA_UNMAP"), put into guest memory.
///
/// A region with a file descriptor becomes guest memory. One without is only remembered: it is no memory for our
/// controllers (ROMs and device memory come that way; ordinary RAM does when the machine's RAM is not shared, which is
/// said once, in one line). Nothing else maps into this memory; whatever is left is unmapped on destruction.
class DmaRegions {
 public:
  explicit DmaRegions(guest::Memory& memory) : memory_(memory) {}
  DmaRegions(const DmaRegions&) = delete;
  DmaRegions& operator=(const DmaRegions&) = delete;
  ~DmaRegions() { clear(); }

  /// `fd` is not open for a region without one. "A command to map over an existing region must be failed [...] with
  /// EEXIST".
  [[nodiscard]] std::expected<void, std::errc> map(const DmaMap& request, UniqueFd fd);
  /// Whether there was exactly this region.
  bool unmap(std::uint64_t address, std::uint64_t size);
  /// Unmaps all regions; files stay mapped for the next ones.
  void unmap_all();
  /// Unmaps all regions and forgets all files.
  void clear();

  [[nodiscard]] std::size_t size() const { return regions_.size(); }
  /// How many files are mapped.
  [[nodiscard]] std::size_t files() const { return files_.size(); }

 private:
  struct Region {
    std::uint64_t size;
    bool accessible;
  };

  [[nodiscard]] bool overlaps(std::uint64_t address, std::uint64_t size) const;
  [[nodiscard]] std::expected<void, std::errc> make_accessible(const DmaMap& request, const UniqueFd& fd);
  void warn_if_ram_is_not_shared(const DmaMap& request);

  guest::Memory& memory_;
  SharedFileCache files_;
  std::map<std::uint64_t, Region> regions_;  // by first address; disjoint
  bool warned_ = false;
};

}  // namespace periplex::vfio_user

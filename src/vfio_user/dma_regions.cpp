// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/dma_regions.hpp"

#include <fmt/format.h>
#include <limits>

#include "base/log.hpp"

namespace periplex::vfio_user {
namespace {

// "max_dma_maps: Optional, with a value of 65535": we do not negotiate another one.
constexpr std::size_t kMaxRegions = 65535;
// Larger than the ROMs and video memories that come without a descriptor in every machine.
constexpr std::uint64_t kBigRegion = std::uint64_t{32} << 20;
// Aligned words of a structure in guest memory must be aligned in ours.
constexpr std::uint64_t kWordAlignment = 8;

}  // namespace

std::expected<void, std::errc> DmaRegions::map(const DmaMap& request, UniqueFd fd) {
  const std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  if (request.size == 0 || request.size - 1 > last - request.address)
    return std::unexpected(std::errc::invalid_argument);
  // "If an access mode requiring a file descriptor is specified, but the client does not provide a file descriptor, the
  // server must fail the request with EINVAL."
  const bool needs_fd = (request.flags & (DmaMap::kAccessMmap | DmaMap::kAccessFileIo)) != 0;
  if (needs_fd && !fd) return std::unexpected(std::errc::invalid_argument);
  if (overlaps(request.address, request.size)) return std::unexpected(std::errc::file_exists);
  if (regions_.size() >= kMaxRegions) return std::unexpected(std::errc::no_space_on_device);

  const bool accessible = fd && (request.flags & DmaMap::kReadable) != 0;
  if (accessible) {
    if (auto done = make_accessible(request, fd); !done) return done;
  } else {
    warn_if_ram_is_not_shared(request);
  }
  regions_.emplace(request.address, Region{request.size, accessible});
  return {};
}

bool DmaRegions::overlaps(std::uint64_t address, std::uint64_t size) const {
  const auto next = regions_.lower_bound(address);
  if (next != regions_.end() && next->first - address < size) return true;
  return next != regions_.begin() && address - std::prev(next)->first < std::prev(next)->second.size;
}

std::expected<void, std::errc> DmaRegions::make_accessible(const DmaMap& request, const UniqueFd& fd) {
  const std::uint64_t end = request.offset + request.size;
  if (end < request.size || (request.offset ^ request.address) % kWordAlignment != 0) {
    return std::unexpected(std::errc::invalid_argument);
  }
  const bool writable = (request.flags & DmaMap::kWriteable) != 0;
  auto file = files_.open(fd, end, writable);
  if (!file) return std::unexpected(file.error());
  const bool mapped =
      memory_.map(guest::GuestAddress(request.address), request.size, std::move(*file), request.offset, writable);
  if (!mapped) return std::unexpected(std::errc::file_exists);
  return {};
}

void DmaRegions::warn_if_ram_is_not_shared(const DmaMap& request) {
  // PC machines have RAM at address 0, however small it is.
  const bool is_ram = (request.flags & DmaMap::kWriteable) != 0 && (request.size >= kBigRegion || request.address == 0);
  if (warned_ || !is_ram) return;
  warned_ = true;
  log::warning(
      "vfio_user",
      fmt::format("the machine's RAM ({} MiB at {:#x}) is not shared with us, so its devices cannot work; for QEMU "
                  "add: -object memory-backend-memfd,id=ram,size=SIZE,share=on -machine memory-backend=ram (for "
                  "Cloud Hypervisor: --memory shared=on)",
                  request.size >> 20, request.address));
}

bool DmaRegions::unmap(std::uint64_t address, std::uint64_t size) {
  // "The address and size of the DMA region being unmapped must match exactly a previous mapping."
  const auto region = regions_.find(address);
  if (region == regions_.end() || region->second.size != size) return false;
  if (region->second.accessible) memory_.unmap(guest::GuestAddress(address), size);
  regions_.erase(region);
  return true;
}

void DmaRegions::unmap_all() {
  memory_.clear();
  regions_.clear();
}

void DmaRegions::clear() {
  unmap_all();
  files_.clear();
}

}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
#include "usb/transfer_data.hpp"

#include <algorithm>

namespace periplex::usb {

TransferData::TransferData(Bytes bytes) : storage_(Owned(std::move(bytes))) {}

std::size_t TransferData::size() const {
  if (const auto* range = std::get_if<guest::PinnedRange>(&storage_)) return range->size();
  if (const auto* owned = std::get_if<Owned>(&storage_)) return owned->view.size();
  return 0;
}

std::span<const MutableByteView> TransferData::spans() const {
  if (const auto* range = std::get_if<guest::PinnedRange>(&storage_)) return range->spans();
  if (const auto* owned = std::get_if<Owned>(&storage_)) return {&owned->view, owned->view.empty() ? 0u : 1u};
  return {};
}

std::size_t TransferData::write(std::size_t offset, ByteView in) {
  std::size_t moved = 0;
  for (const MutableByteView span : spans()) {
    if (offset >= span.size()) {
      offset -= span.size();
      continue;
    }
    const std::size_t length = std::min(span.size() - offset, in.size() - moved);
    if (length > 0) std::memcpy(span.data() + offset, in.data() + moved, length);
    moved += length;
    offset = 0;
    if (moved == in.size()) break;
  }
  return moved;
}

std::size_t TransferData::read(std::size_t offset, MutableByteView out) const {
  std::size_t moved = 0;
  for (const MutableByteView span : spans()) {
    if (offset >= span.size()) {
      offset -= span.size();
      continue;
    }
    const std::size_t length = std::min(span.size() - offset, out.size() - moved);
    if (length > 0) std::memcpy(out.data() + moved, span.data() + offset, length);
    moved += length;
    offset = 0;
    if (moved == out.size()) break;
  }
  return moved;
}

std::shared_ptr<const Bytes> TransferData::share() const {
  const auto* owned = std::get_if<Owned>(&storage_);
  return owned == nullptr ? nullptr : owned->bytes;
}

Bytes TransferData::copy(std::size_t limit) const {
  Bytes bytes(std::min(limit, size()));
  read(0, bytes);
  return bytes;
}

}  // namespace periplex::usb

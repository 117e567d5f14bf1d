// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "usb/device/block_backend.hpp"

/// Whole reads and writes on a descriptor: what the system calls do in part is carried on until it is done or has
/// failed. They block as long as the file does. Any thread may call them.
namespace periplex::host {

/// Reads into all of `spans`, from `offset` on. What lies behind the end of the file reads as zeros.
[[nodiscard]] usb::device::BlockResult read_at(int fd, std::uint64_t offset, std::span<const MutableByteView> spans);
[[nodiscard]] usb::device::BlockResult write_at(int fd, std::uint64_t offset, std::span<const MutableByteView> spans);
/// Makes what was written durable, with as much metadata as is needed to read it again.
[[nodiscard]] usb::device::BlockResult sync_data(int fd);
/// Makes a hole; the file keeps its size and the range reads as zeros.
[[nodiscard]] usb::device::BlockResult punch_hole(int fd, std::uint64_t offset, std::uint64_t length);

/// What can be read without waiting for a disk.
struct CachedRead {
  std::uint64_t bytes = 0;  ///< read from the start of the spans
  bool supported = true;    ///< false: this file system never says
};
/// Reads what lies in the page cache (RWF_NOWAIT), perhaps nothing.
[[nodiscard]] CachedRead read_cached(int fd, std::uint64_t offset, std::span<const MutableByteView> spans);

}  // namespace periplex::host

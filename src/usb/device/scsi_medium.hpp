// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "usb/device/scsi_action.hpp"

/// The actions that move logical blocks (SBC-3 clause 5), in requests of at most `kMaxBlockRequest` bytes.
namespace periplex::usb::device {

/// A run of the medium in bytes.
struct MediumExtent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint32_t block_size = 512;
};

/// READ. Bytes go straight from the medium to the host's spans, in pieces of any size.
[[nodiscard]] ScsiActionPtr read_medium(MediumExtent extent);

/// WRITE. Whole blocks go straight from the host's spans to the medium; a block that arrives in pieces is put together
/// first, so that a host that gives up half-way never leaves half a block behind. `durable`: flushed before status.
[[nodiscard]] ScsiActionPtr write_medium(MediumExtent extent, bool durable);

/// VERIFY with BYTCHK=0: reads it all and gives nothing to the host.
[[nodiscard]] ScsiActionPtr verify_medium(MediumExtent extent);
/// VERIFY with BYTCHK=1: compares the medium with the host's data.
[[nodiscard]] ScsiActionPtr compare_medium(MediumExtent extent);

/// WRITE SAME without unmapping: writes `block` to every block of `extent`.
[[nodiscard]] ScsiActionPtr fill_medium(MediumExtent extent, ByteView block, bool durable);

/// UNMAP and WRITE SAME with it: gives the extents back; they read as zeros afterwards.
[[nodiscard]] ScsiActionPtr discard_medium(std::vector<MediumExtent> extents);

}  // namespace periplex::usb::device

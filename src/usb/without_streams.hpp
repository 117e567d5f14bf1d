// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/descriptors.hpp"

namespace periplex::usb {

/// A configuration as a guest must see it where something in between cannot carry streams (USB 3.2 §8.12.1.4): without
/// the alternate settings that have some, so that a driver takes one that works. An alternate setting 0 cannot be left
/// out: there MaxStreams of its endpoints becomes 0, and a driver that needs streams refuses the device. What cannot be
/// parsed is given back as it is.
[[nodiscard]] Bytes without_streams(ByteView configuration);

/// Whether alternate setting 0 of some interface has streams: a driver of that has nothing to fall back to.
[[nodiscard]] bool needs_streams(const ParsedConfiguration& configuration);

}  // namespace periplex::usb

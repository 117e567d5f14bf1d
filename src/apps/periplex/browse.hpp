// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/periplex/invocation.hpp"
#include "apps/periplex/terminal.hpp"

namespace periplex::apps {

/// Asks a USB/IP server what it exports.
[[nodiscard]] Result browse_usbip(const command::ShowUsbip& show);

}  // namespace periplex::apps

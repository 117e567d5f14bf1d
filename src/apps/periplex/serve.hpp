// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/periplex/invocation.hpp"
#include "apps/periplex/terminal.hpp"

namespace periplex::apps {

/// Serves peripherals over USB/IP until SIGTERM or SIGINT. What comes on standard input is typed at the first keyboard
/// that is served.
[[nodiscard]] Result serve_usbip(const command::ServeUsbip& serve, bool json);
/// Serves one peripheral over usbredir likewise.
[[nodiscard]] Result serve_usbredir(const command::ServeUsbredir& serve, bool json);

}  // namespace periplex::apps

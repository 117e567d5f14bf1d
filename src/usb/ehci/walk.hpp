// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "guest/memory.hpp"
#include "usb/batching/pipe.hpp"

namespace periplex::usb::ehci {

/// What walking the schedules came to: what USBSTS will say, and how soon it is worth walking again.
struct Walk {
  bool interrupt = false;        ///< USBINT: a qTD or iTD with its ioc bit is done, or a packet was short
  bool error_interrupt = false;  ///< USBERRINT
  std::optional<guest::Fault> fault;
  batching::Activity activity = batching::Activity::idle;

  void note(batching::Activity seen) { activity = std::max(activity, seen); }
  void note(guest::Fault seen) { fault = seen; }
};

}  // namespace periplex::usb::ehci

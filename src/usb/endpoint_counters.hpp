// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "usb/endpoint.hpp"

namespace periplex::usb {

/// What has happened on one endpoint since the guest configured it: the same words for every controller.
///
/// `guest_packets` to `requests` is the ratio that transfer batching exists for.
struct EndpointCounters {
  std::uint64_t guest_packets = 0;  ///< descriptors that were carried out: UHCI TDs, EHCI qTDs and iTD slots, xHCI TRBs
  std::uint64_t data_sets = 0;      ///< data sets that ended: what the guest has back, whole, short or failed
  std::uint64_t requests = 0;       ///< requests to the device side
  std::uint64_t resubmissions = 0;  ///< requests made again because the guest changed the data set meanwhile
  std::uint64_t cancellations = 0;  ///< requests the device side was asked to end
  std::uint64_t bytes = 0;          ///< that the guest sent or got
  std::uint64_t errors = 0;         ///< data sets that ended with an error; a stall is one
  std::uint64_t missed_intervals =
      0;  ///< isochronous intervals that passed without a packet that should have been there
};

/// Visits the endpoints of a device and what they have done.
using VisitEndpoint = std::function<void(EndpointAddress, TransferType, const EndpointCounters&)>;

}  // namespace periplex::usb

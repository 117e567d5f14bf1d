// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/batching/bus_addresses.hpp"
#include "usb/batching/pipes.hpp"
#include "usb/ehci/queue_head_view.hpp"

namespace periplex::usb::ehci {

/// A schedule has led, in round `round`, to `queue`: lets the pipe behind it do its work. `data_type` is what its
/// endpoints other than 0 are. Where no device listens at the queue's address, what is queued ends with an error, as
/// after three transactions without an answer.
void visit(QueueHeadView& queue, batching::Pipes& pipes, const batching::BusAddresses& addresses,
           TransferType data_type, batching::Pipes::Moment now, Walk& walk);

}  // namespace periplex::usb::ehci

// SPDX-License-Identifier: Apache-2.0
#include "usb/ehci/queue_visit.hpp"

namespace periplex::usb::ehci {

void visit(QueueHeadView& queue, batching::Pipes& pipes, const batching::BusAddresses& addresses,
           TransferType data_type, batching::Pipes::Moment now, Walk& walk) {
  const auto head = queue.head();
  if (!head) return;
  Device* device = addresses.at(queue.queue().device_address());
  if (device == nullptr) {
    queue.retire(*head, {.status = Status::error});
    return walk.note(batching::Activity::progressed);
  }
  const unsigned number = queue.queue().endpoint();
  const Direction towards = direction(head->pid);
  if (number != 0) queue.show_only(towards);
  const TransferType type = number == 0 ? TransferType::control : data_type;
  walk.note(pipes.visit(*device, EndpointAddress(number, towards), type, queue, now));
}

}  // namespace periplex::usb::ehci

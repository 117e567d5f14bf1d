// SPDX-License-Identifier: Apache-2.0
#include "usb/observed_device.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::usb {

void ObservedDevice::observe(TransferObserver& observer) {
  observers_.push_back({&observer, submissions_});
}

void ObservedDevice::ignore(TransferObserver& observer) {
  std::erase_if(observers_, [&](const Observer& entry) { return entry.observer == &observer; });
}

void ObservedDevice::submit(TransferPtr transfer) {
  if (!observers_.empty()) {
    const TransferType type = type_of(*transfer);
    for (const Observer& entry : observers_) entry.observer->on_submitted(label_, type, *transfer);
    TransferOwner& owner = transfer->interpose(*this);
    pending(transfer->endpoint()).push_back({transfer->id(), &owner, submissions_++, type});
  }
  device_->submit(std::move(transfer));
}

void ObservedDevice::on_complete(TransferPtr transfer, Completion completion) {
  std::vector<Pending>& waiting = pending(transfer->endpoint());
  // Completions of one endpoint come in the order of the submissions, so this is the first entry.
  const auto found = std::ranges::find(waiting, transfer->id(), &Pending::id);
  PERIPLEX_CHECK(found != waiting.end());
  const Pending entry = *found;
  waiting.erase(found);
  for (const Observer& observer : observers_) {
    if (entry.serial >= observer.first) observer.observer->on_completed(label_, entry.type, *transfer, completion);
  }
  (void)transfer->interpose(*entry.owner);
  Transfer::complete(std::move(transfer), completion);
}

TransferType ObservedDevice::type_of(const Transfer& transfer) const {
  if (transfer.setup) return TransferType::control;
  if (!transfer.packets.empty()) return TransferType::isochronous;
  return device_->endpoint_type(transfer.endpoint()).value_or(TransferType::bulk);
}

std::vector<ObservedDevice::Pending>& ObservedDevice::pending(EndpointAddress endpoint) {
  return pending_[endpoint.number() * 2 + (endpoint.direction() == Direction::in ? 1 : 0)];
}

}  // namespace periplex::usb

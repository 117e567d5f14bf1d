// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/submitter.hpp"

namespace periplex::remote::usbredir {

Submitter::~Submitter() {
  waiting_.clear();  // nobody is to hear of what the device completes while it dies
}

std::unique_ptr<usb::Transfer> Submitter::make(usb::EndpointAddress endpoint, usb::Direction direction,
                                               usb::TransferData data) {
  usb::TransferOwner& owner = *this;
  return std::make_unique<usb::Transfer>(owner, usb::TransferId(++last_id_), endpoint, direction, std::move(data));
}

usb::TransferId Submitter::submit(std::unique_ptr<usb::Transfer> transfer, Done done) {
  const usb::TransferId id = transfer->id();
  ++held_;
  held_bytes_ += transfer->data.size();
  waiting_.emplace(id, std::move(done));
  device_->submit(std::move(transfer));
  return id;
}

usb::TransferId Submitter::control(const usb::SetupPacket& setup, Bytes data, Done done) {
  const bool guest_bound = setup.direction() == usb::Direction::in;
  auto transfer = make(usb::EndpointAddress(), setup.direction(),
                       guest_bound ? usb::TransferData::room(setup.length) : usb::TransferData::owned(std::move(data)));
  transfer->setup = setup;
  return submit(std::move(transfer), std::move(done));
}

usb::TransferId Submitter::data(usb::EndpointAddress endpoint, usb::TransferData data, std::uint16_t stream,
                                Done done) {
  auto transfer = make(endpoint, endpoint.direction(), std::move(data));
  transfer->stream = stream;
  return submit(std::move(transfer), std::move(done));
}

usb::TransferId Submitter::isochronous(usb::EndpointAddress endpoint, usb::TransferData data,
                                       std::vector<usb::IsochronousPacket> packets, Done done) {
  auto transfer = make(endpoint, endpoint.direction(), std::move(data));
  transfer->packets = std::move(packets);
  return submit(std::move(transfer), std::move(done));
}

void Submitter::abandon(usb::TransferId id) {
  if (waiting_.erase(id) > 0) device_->cancel(id);
}

void Submitter::abandon_all() {
  auto abandoned = std::exchange(waiting_, {});
  for (auto each = abandoned.rbegin(); each != abandoned.rend(); ++each) device_->cancel(each->first);  // newest first
}

void Submitter::on_complete(usb::TransferPtr transfer, usb::Completion completion) {
  --held_;
  held_bytes_ -= transfer->data.size();
  const auto found = waiting_.find(transfer->id());
  if (found == waiting_.end()) return;
  Done done = std::move(found->second);
  waiting_.erase(found);
  done(*transfer, completion);
}

}  // namespace periplex::remote::usbredir

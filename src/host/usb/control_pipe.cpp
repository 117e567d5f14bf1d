// SPDX-License-Identifier: Apache-2.0
#include "host/usb/control_pipe.hpp"

#include <algorithm>

#include "host/usb/urb_status.hpp"

namespace periplex::host {

using usb::SetupPacket;
using usb::Status;

ControlPipe::~ControlPipe() {
  if (active_) finish({Status::disconnected, 0});
  for (auto& transfer : waiting_) completions_.push(std::move(transfer), {Status::disconnected, 0});
}

void ControlPipe::add(usb::TransferPtr transfer) {
  waiting_.push_back(std::move(transfer));
  pump();
}

void ControlPipe::finish(usb::Completion completion) {
  completions_.push(std::move(active_), completion);
}

bool ControlPipe::cancel(usb::TransferId id) {
  if (active_ && active_->id() == id) {
    cancel_active();
    return true;
  }
  const auto found = std::ranges::find(waiting_, id, [](const auto& each) { return each->id(); });
  if (found == waiting_.end()) return false;
  completions_.push(std::move(*found), {Status::cancelled, 0});
  waiting_.erase(found);
  return true;
}

/// A call cannot be taken back: it goes on, and nothing else begins before it has ended.
void ControlPipe::cancel_active() {
  if (with_device_) {
    connection_.cancel(this);
  } else {
    finish({Status::cancelled, 0});
  }
}

void ControlPipe::cancel_all() {
  while (!waiting_.empty()) (void)cancel(waiting_.back()->id());
  if (active_) cancel_active();
}

void ControlPipe::fail_waiting() {
  while (!waiting_.empty()) {
    completions_.push(std::move(waiting_.front()), {Status::disconnected, 0});
    waiting_.pop_front();
  }
}

void ControlPipe::pump() {
  while (!active_ && !waiting_.empty() && !connection_.calling()) start();
}

void ControlPipe::start() {
  active_ = std::move(waiting_.front());
  waiting_.pop_front();
  if (!active_->setup) return finish({Status::error, 0});
  Answer answer = function_.answer(*active_);
  if (const auto* completion = std::get_if<usb::Completion>(&answer)) return finish(*completion);
  if (auto* call = std::get_if<Call>(&answer)) {
    connection_.call(std::move(call->call),
                     [this, id = active_->id(), conclude = std::move(call->conclude)](int result) mutable {
                       const Status status = conclude(result);
                       if (active_ && active_->id() == id) finish({status, 0});
                       if (status == Status::disconnected) gone_.on_device_gone();
                     });
    return;
  }
  forward();
}

void ControlPipe::forward() {
  SetupPacket setup = *active_->setup;
  const bool in = setup.direction() == usb::Direction::in;
  // Nobody has so much to say: a host asks with room to spare. What is to be sent cannot be shortened.
  if (in) setup.length = static_cast<std::uint16_t>(std::min<std::size_t>(setup.length, kMostData));
  if (!in && (setup.length > kMostData || active_->data.size() > setup.length)) return finish({Status::error, 0});
  UrbOwner& owner = *this;
  auto urb = std::make_unique<Urb>(owner, this, SetupPacket::kSize + setup.length);
  ByteWriter header;
  header.le64(setup.encode());
  std::ranges::copy(header.view(), urb->data().begin());
  if (!in) (void)active_->data.read(0, urb->data().subspan(SetupPacket::kSize));
  urb->transfer().type = LIBUSB_TRANSFER_TYPE_CONTROL;
  urb->transfer().endpoint = 0;
  const int error = connection_.submit(std::move(urb));
  with_device_ = error == 0;
  if (error == 0) return;
  const Status status = status_of_failure(error);
  finish({status, 0});
  if (status == Status::disconnected) gone_.on_device_gone();
}

void ControlPipe::on_urb(Urb& urb) {
  with_device_ = false;
  const libusb_transfer& transfer = urb.transfer();
  const std::size_t room = urb.data().size() - SetupPacket::kSize;
  const std::size_t moved = std::min(room, static_cast<std::size_t>(std::max(0, transfer.actual_length)));
  std::size_t actual = moved;
  if (active_->direction() == usb::Direction::in) {
    actual = active_->data.write(0, urb.data().subspan(SetupPacket::kSize, moved));
  }
  const Status status = status_of(transfer.status);
  finish({status, static_cast<std::uint32_t>(actual)});
  if (status == Status::disconnected) gone_.on_device_gone();
  pump();
}

}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
#include "host/usb/connection.hpp"

#include <algorithm>
#include <new>

namespace periplex::host {

Urb::Urb(UrbOwner& owner, void* job, std::size_t size, int packets)
    : owner_(&owner), job_(job), buffer_(size), transfer_(libusb_alloc_transfer(packets)) {
  if (transfer_ == nullptr) throw std::bad_alloc();
  transfer_->buffer = reinterpret_cast<unsigned char*>(buffer_.data());
  transfer_->length = static_cast<int>(size);
  transfer_->num_iso_packets = packets;
  transfer_->user_data = this;
}

Urb::~Urb() {
  libusb_free_transfer(transfer_);
}

void UsbConnection::call(Call call, Done done) {
  calls_.push_back({[call = std::move(call)]() mutable { return std::move(call); }, std::move(done)});
  start_next_call();
}

void UsbConnection::start_next_call() {
  if (busy_) return;
  if (calls_.empty()) return;
  busy_ = true;
  handle_->pause();
  PendingCall next = std::move(calls_.front());
  calls_.pop_front();
  thread_.run([call = next.prepare(), &handle = *handle_]() mutable { return call(handle); },
              [self = shared_from_this(), done = std::move(next.done)](int result) mutable {
                self->busy_ = false;
                if (self->calls_.empty()) self->handle_->resume();
                if (done && self->abandoned_ == nullptr) done(result);
                self->start_next_call();
                if (!self->calling() && self->on_idle_) self->on_idle_();
                self->let_go_when_quiet();
              });
}

int UsbConnection::submit(std::unique_ptr<Urb> urb) {
  urb->connection_ = this;
  urb->transfer_->callback = on_callback;
  const int result = handle_->submit(*urb->transfer_);
  if (result == 0) in_flight_.push_back(std::move(urb));
  return result;
}

void UsbConnection::cancel(const void* job) {
  for (const auto& urb : in_flight_) {
    if (urb->job_ == job) urb->cancel_wanted_ = true;
  }
  queue_cancellation();
}

/// One call for all that is to be cancelled when its turn comes: what has come back until then is not touched.
void UsbConnection::queue_cancellation() {
  const bool wanted =
      std::ranges::any_of(in_flight_, [](const auto& urb) { return urb->cancel_wanted_ && !urb->cancel_made_; });
  if (cancellation_queued_ || !wanted) return;
  cancellation_queued_ = true;
  calls_.push_back({[this]() -> Call {
                      cancellation_queued_ = false;
                      return [transfers = take_wanted_cancellations()](UsbHandle& handle) {
                        for (libusb_transfer* transfer : transfers) (void)handle.cancel(*transfer);
                        return 0;
                      };
                    },
                    nullptr});
  start_next_call();
}

/// From the newest to the oldest, so that none of an endpoint begins because the one before it has gone.
std::vector<libusb_transfer*> UsbConnection::take_wanted_cancellations() {
  std::vector<libusb_transfer*> transfers;
  for (auto each = in_flight_.rbegin(); each != in_flight_.rend(); ++each) {
    Urb& urb = **each;
    if (!urb.cancel_wanted_ || urb.cancel_made_) continue;
    urb.cancel_made_ = true;
    transfers.push_back(urb.transfer_);
  }
  return transfers;
}

void UsbConnection::on_callback(libusb_transfer* transfer) {
  Urb& urb = *static_cast<Urb*>(transfer->user_data);
  UsbConnection& self = *urb.connection_;
  const auto place = std::ranges::find(self.in_flight_, &urb, &std::unique_ptr<Urb>::get);
  if (place == self.in_flight_.end()) return;
  self.ended_.push_back(std::move(*place));
  self.in_flight_.erase(place);
  // Not from inside libusb: an owner may make an end of everything.
  if (self.ended_.size() == 1) {
    self.scheduler_.defer([connection = self.shared_from_this()] { connection->deliver(); });
  }
}

void UsbConnection::deliver() {
  while (!ended_.empty()) {
    const std::unique_ptr<Urb> urb = std::move(ended_.front());
    ended_.pop_front();
    if (urb->owner_ != nullptr) urb->owner_->on_urb(*urb);
  }
  let_go_when_quiet();
}

void UsbConnection::abandon(Call last_call) {
  abandoned_ = shared_from_this();
  on_idle_ = nullptr;
  for (const auto& urb : in_flight_) {
    urb->owner_ = nullptr;
    urb->cancel_wanted_ = true;
  }
  for (const auto& urb : ended_) urb->owner_ = nullptr;
  queue_cancellation();
  call(std::move(last_call), nullptr);
}

void UsbConnection::let_go_when_quiet() {
  if (abandoned_ == nullptr || calling() || !in_flight_.empty() || !ended_.empty()) return;
  // On the loop, after whatever is on the stack now: it may be an event of this very device.
  scheduler_.defer([self = std::move(abandoned_)] {});
}

}  // namespace periplex::host

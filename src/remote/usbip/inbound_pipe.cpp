// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/inbound_pipe.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace periplex::remote::usbip {

InboundPipe::InboundPipe(usb::EndpointAddress endpoint, std::size_t ahead, Far& far, Scheduler& scheduler)
    : endpoint_(endpoint), ahead_(ahead), far_(far), quiet_(scheduler.make_timer([this] { on_quiet(); })) {}

void InboundPipe::submit(usb::TransferPtr transfer) {
  room_ = std::max(room_, static_cast<std::uint32_t>(transfer->data.size()));
  waiting_.push_back({std::move(transfer)});
  asks_ahead_ = ahead_ > 0;
  quiet_->cancel();
  deliver();
  fill();
}

bool InboundPipe::cancel(usb::TransferId id) {
  const auto found = std::ranges::find(waiting_, id, [](const Waiting& entry) { return entry.transfer->id(); });
  if (found == waiting_.end()) return false;
  far_.finish(std::move(found->transfer), {usb::Status::cancelled, found->filled});
  waiting_.erase(found);
  if (ahead_ > 0) {
    if (waiting_.empty()) quiet_->arm(kQuietTime);
    return true;
  }
  const auto newest = std::ranges::find(std::views::reverse(requests_), false, &Request::withdrawn);
  if (newest != requests_.rend() && live_requests() > waiting_.size()) {
    newest->withdrawn = true;
    far_.withdraw(newest->number);
  }
  return true;
}

void InboundPipe::on_answer(std::uint32_t number, ByteView data, usb::Status status) {
  const auto request = std::ranges::find(requests_, number, &Request::number);
  if (request == requests_.end()) return;  // of before a fresh start
  const bool ended_short = status == usb::Status::ok && data.size() < request->room;
  requests_.erase(request);
  // usbipd-win can end only all requests of an endpoint at once: then those that nobody has withdrawn come back, too.
  const bool nothing = status == usb::Status::cancelled && data.empty();
  const bool follows_error = failed_ && status != usb::Status::ok && data.empty();
  if (!nothing && !follows_error) {
    if (status == usb::Status::cancelled) status = usb::Status::ok;
    failed_ = status != usb::Status::ok;
    runs_.push_back({{data.begin(), data.end()}, 0, status, ended_short});
    if (waiting_.empty()) far_.on_unasked(endpoint_);
  }
  deliver();
  fill();
}

void InboundPipe::start_afresh() {
  runs_.clear();
  failed_ = false;
  asks_ahead_ = false;
  quiet_->cancel();
  for (Request& request : requests_ | std::views::reverse) {
    if (!std::exchange(request.withdrawn, true)) far_.withdraw(request.number);
  }
  // Their answers, should they bring data after all, are of before.
  requests_.clear();
}

void InboundPipe::finish_all(usb::Status status) {
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    far_.finish(std::move(waiting.transfer), {status, waiting.filled});
  }
}

void InboundPipe::deliver() {
  while (!waiting_.empty() && !runs_.empty()) {
    if (deliver_run()) waiting_.pop_front();
  }
  if (waiting_.empty() && asks_ahead_ && !quiet_->armed()) quiet_->arm(kQuietTime);
}

/// Gives the oldest run to the oldest transfer; whether that has ended.
bool InboundPipe::deliver_run() {
  Waiting& guest = waiting_.front();
  Run& run = runs_.front();
  const std::size_t moved = guest.transfer->data.write(guest.filled, ByteView(run.bytes).subspan(run.taken));
  guest.filled += static_cast<std::uint32_t>(moved);
  run.taken += moved;
  const bool full = guest.filled == guest.transfer->data.size();
  usb::Status status = usb::Status::ok;
  bool ends = full;
  if (run.taken == run.bytes.size()) {
    status = run.status;
    ends = full || run.ended_short || status != usb::Status::ok;
    runs_.pop_front();
  }
  if (ends) far_.finish(std::move(guest.transfer), {status, guest.filled});
  return ends;
}

void InboundPipe::fill() {
  if (failed_) {
    // After an error the endpoint is halted: nothing is asked for until all that was has come back, and the guest
    // itself wants more.
    if (waiting_.empty() || live_requests() > 0) return;
    failed_ = false;
  }
  const auto wants_more = [this] {
    const std::size_t live = live_requests();
    if (live + runs_.size() < waiting_.size()) return true;
    return asks_ahead_ && live < ahead_ && live + runs_.size() < std::max(ahead_, kMostKept);
  };
  while (wants_more()) {
    const std::uint32_t room = next_room();
    requests_.push_back({far_.ask(endpoint_, room), room});
  }
}

std::size_t InboundPipe::live_requests() const {
  return static_cast<std::size_t>(std::ranges::count(requests_, false, &Request::withdrawn));
}

/// What the next request is to ask for: as much as the transfer that it will go to has room for.
std::uint32_t InboundPipe::next_room() const {
  const std::size_t index = live_requests() + runs_.size();
  if (ahead_ > 0 || index >= waiting_.size()) return room_;
  return static_cast<std::uint32_t>(waiting_[index].transfer->data.size()) - waiting_[index].filled;
}

void InboundPipe::on_quiet() {
  if (far_.listens_unasked()) return quiet_->arm(kQuietTime);
  asks_ahead_ = false;
  for (Request& request : requests_ | std::views::reverse) {
    if (!std::exchange(request.withdrawn, true)) far_.withdraw(request.number);
  }
}

}  // namespace periplex::remote::usbip

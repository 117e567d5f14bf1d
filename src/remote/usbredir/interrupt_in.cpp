// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/interrupt_in.hpp"

#include <algorithm>

namespace periplex::remote::usbredir {

void InterruptIn::submit(usb::TransferPtr transfer) {
  waiting_.push_back(std::move(transfer));
  serve();
}

bool InterruptIn::cancel(usb::TransferId id) {
  const auto found = std::ranges::find(waiting_, id, [](const auto& transfer) { return transfer->id(); });
  if (found == waiting_.end()) return false;
  const bool first = found == waiting_.begin();
  const std::size_t moved = first ? std::exchange(filled_, 0) : 0;
  usb::TransferPtr transfer = std::move(*found);
  waiting_.erase(found);
  completions_.push(std::move(transfer), {usb::Status::cancelled, static_cast<std::uint32_t>(moved)});
  return true;
}

void InterruptIn::on_data(InterruptData&& data) {
  // The far end confirms the start before it sends anything; what comes sooner is of an earlier run.
  if (pump_.state() != Pump::State::running && !paused_) return;
  if (reports_.size() >= kMaxReports || bytes_ + data.data.size() > kMaxBytes) {
    ++lost_;
    if (reports_.empty() || reports_.back().result == Result::success) reports_.push_back({Result::io_error, {}});
    return serve();
  }
  bytes_ += data.data.size();
  reports_.push_back({data.result, std::move(data.data)});
  if (reports_.size() >= kPauseAt && !paused_) {
    paused_ = true;
    pump_.stop();
  }
  serve();
}

void InterruptIn::on_status(MessageId id, Result result) {
  if (const auto bad = pump_.on_status(id, result)) failure_ = *bad;
  if (pump_.state() == Pump::State::running) paused_ = false;
  serve();
}

void InterruptIn::stop(usb::Status status) {
  pump_.stop();
  clear(status);
}

void InterruptIn::forget(usb::Status status) {
  pump_.forget();
  clear(status);
}

void InterruptIn::clear(usb::Status status) {
  reports_.clear();
  bytes_ = 0;
  paused_ = false;
  failure_.reset();
  while (!waiting_.empty()) finish_front({status, static_cast<std::uint32_t>(filled_)});
}

void InterruptIn::serve() {
  while (!waiting_.empty() && serve_one()) {
  }
  start_if_wanted();
}

void InterruptIn::start_if_wanted() {
  if (pump_.state() != Pump::State::stopped || waiting_.empty() || reports_.size() > kResumeAt) return;
  pump_.start();
}

/// False: the first that waits goes on waiting.
bool InterruptIn::serve_one() {
  if (reports_.empty()) {
    if (!failure_) return false;
    finish_front({status_of(*std::exchange(failure_, std::nullopt)), static_cast<std::uint32_t>(filled_)});
    return true;
  }
  const Report& report = reports_.front();
  usb::Transfer& transfer = *waiting_.front();
  const std::size_t room = transfer.data.size() - filled_;
  if (report.result != Result::success) {
    const usb::Status status = status_of(report.result);
    take_front();
    finish_front({status, static_cast<std::uint32_t>(filled_)});
    return true;
  }
  // A report longer than a packet comes in several; as on a bus, the transfer ends with a short one or when it is full.
  const std::size_t size = report.data.size();
  filled_ += transfer.data.write(filled_, ByteView(report.data).first(std::min(size, room)));
  take_front();
  if (size > room) {
    finish_front({usb::Status::babble, static_cast<std::uint32_t>(filled_)});
  } else if (max_packet_size_ == 0 || size < max_packet_size_ || size == room) {
    finish_front({usb::Status::ok, static_cast<std::uint32_t>(filled_)});
  }
  return true;
}

void InterruptIn::take_front() {
  bytes_ -= reports_.front().data.size();
  reports_.pop_front();
}

void InterruptIn::finish_front(usb::Completion completion) {
  usb::TransferPtr transfer = std::move(waiting_.front());
  waiting_.pop_front();
  filled_ = 0;
  completions_.push(std::move(transfer), completion);
}

}  // namespace periplex::remote::usbredir

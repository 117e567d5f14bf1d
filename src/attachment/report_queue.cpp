// SPDX-License-Identifier: Apache-2.0
#include "attachment/report_queue.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "attachment/limits.hpp"

namespace periplex::attachment {

using usb::Status;

namespace {

constexpr int kCatchUp = 2;  // times the device's own pace

}  // namespace

ReportQueue::ReportQueue(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties,
                         RemoteTransfers& agent, Completions& completions, Scheduler& scheduler,
                         PeripheralCounters& counters)
    : endpoint_(endpoint),
      agent_(agent),
      completions_(completions),
      counters_(counters),
      scheduler_(scheduler),
      idle_(scheduler.make_timer([this] { on_idle(); })),
      pace_(scheduler.make_timer([this] { deliver(); })) {
  configure(properties);
}

ReportQueue::~ReportQueue() {
  for (Waiting& guest : waiting_) {
    completions_.push(std::move(guest.transfer), {Status::disconnected, guest.filled});
  }
}

void ReportQueue::configure(const Configuration::Endpoint& properties) {
  packet_bytes_ = properties.packet_bytes;
  spacing_ = properties.interval / kCatchUp;
}

void ReportQueue::submit(usb::TransferPtr transfer) {
  waiting_.push_back({std::move(transfer), 0});
  deliver();
  if (!polling_ && !waiting_.empty()) poll();
}

bool ReportQueue::cancel(usb::TransferId id) {
  const auto found = std::ranges::find(waiting_, id, [](const Waiting& each) { return each.transfer->id(); });
  if (found == waiting_.end()) return false;
  completions_.push(std::move(found->transfer), {Status::cancelled, found->filled});
  waiting_.erase(found);
  if (waiting_.empty()) idle_->arm(kIdle);
  return true;
}

void ReportQueue::poll() {
  polling_ = true;
  limit_ = arrived_ - static_cast<std::uint32_t>(packets_.size()) + kReportWindow;
  agent_.post(Poll{.endpoint = endpoint_,
                   .type = usb::TransferType::interrupt,
                   .generation = generation_,
                   .packet_bytes = std::min(packet_bytes_, kMaxReportBytes),
                   .limit = limit_}
                  .encode());
}

/// Tells the agent of the room that the guest has made, not for every single report.
void ReportQueue::extend_limit() {
  const std::uint32_t outstanding = limit_ - arrived_;
  const std::size_t room = kReportWindow - std::min<std::size_t>(packets_.size(), kReportWindow);
  if (polling_ && room >= outstanding + kReportWindow / 2) poll();
}

void ReportQueue::pause() {
  if (std::exchange(polling_, false)) agent_.post(StopPolling{endpoint_}.encode());
}

void ReportQueue::restart() {
  if (!polling_ && !waiting_.empty()) poll();
}

void ReportQueue::flush(Status status) {
  pause();
  ++generation_;
  arrived_ = limit_ = 0;
  packets_.clear();
  idle_->cancel();
  pace_->cancel();
  // From the newest to the oldest, as they would be cancelled.
  for (Waiting& guest : std::views::reverse(waiting_)) {
    completions_.push(std::move(guest.transfer), {status, guest.filled});
  }
  waiting_.clear();
}

Verdict ReportQueue::on_report(const Report& report) {
  if (report.generation > generation_) return violation("a report that nobody has asked for");
  if (report.generation < generation_) {
    ++counters_.stale_reports;
    return {};
  }
  if (arrived_ == limit_) return violation("more reports than it may push");
  ++arrived_;
  ++counters_.reports;
  packets_.push_back({report.status, Bytes(report.data.begin(), report.data.end())});
  // A device that has stalled, or failed, is asked again when the guest does.
  if (report.status != Status::ok) polling_ = false;
  deliver();
  if (arrived_ == limit_) ++counters_.full_queues;
  return {};
}

void ReportQueue::deliver() {
  const auto both = [this] { return !waiting_.empty() && !packets_.empty(); };
  bool asked = false;
  while (both() && scheduler_.now() >= next_) {
    deliver_first();
    asked = true;
  }
  if (both()) pace_->arm(next_ - scheduler_.now());
  if (!asked) return;
  extend_limit();
  if (waiting_.empty()) idle_->arm(kIdle);
}

void ReportQueue::deliver_first() {
  const Packet packet = std::move(packets_.front());
  packets_.pop_front();
  next_ = scheduler_.now() + spacing_;
  if (deliver_packet(waiting_.front(), packet)) waiting_.pop_front();
}

/// Whether the guest's transfer has ended with it.
bool ReportQueue::deliver_packet(Waiting& guest, const Packet& packet) {
  const std::size_t moved = guest.transfer->data.write(guest.filled, packet.data);
  guest.filled += static_cast<std::uint32_t>(moved);
  Status status = packet.status;
  if (status == Status::ok && moved < packet.data.size()) status = Status::babble;
  const bool is_short = packet.data.size() < packet_bytes_;
  const bool full = guest.filled == guest.transfer->data.size();
  if (status == Status::ok && !is_short && !full) return false;
  completions_.push(std::move(guest.transfer), {status, guest.filled});
  return true;
}

void ReportQueue::on_idle() {
  if (waiting_.empty()) pause();
}

}  // namespace periplex::attachment

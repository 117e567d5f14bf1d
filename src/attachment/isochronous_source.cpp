// SPDX-License-Identifier: Apache-2.0
#include "attachment/isochronous_source.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "attachment/limits.hpp"

namespace periplex::attachment {

using usb::Status;

IsochronousSource::IsochronousSource(usb::EndpointAddress endpoint, Requests& requests, Scheduler& scheduler, Push push)
    : endpoint_(endpoint),
      requests_(requests),
      scheduler_(scheduler),
      push_(std::move(push)),
      timer_(scheduler.make_timer([this] { tick(); })) {}

IsochronousSource::~IsochronousSource() {
  for (const usb::TransferId id : std::views::reverse(asked_)) requests_.drop(id);
}

void IsochronousSource::poll(const Poll& message) {
  stop();
  settings_ = message;
  const auto fits = static_cast<std::size_t>(kChunk / settings_.interval);
  const std::size_t room = kMaxIsochronousBytes / kRequests / std::max(settings_.packet_bytes, 1u);
  packets_ = std::clamp<std::size_t>(fits, 1, std::max<std::size_t>(room, 1));
  polling_ = true;
  next_ = scheduler_.now();
  for (std::size_t i = 0; i < kRequests; ++i) ask();
  // By the clock they are all due only after the last of them.
  next_ += chunk() * static_cast<int>(kRequests);
  timer_->arm(next_ - scheduler_.now());
}

void IsochronousSource::stop() {
  if (!std::exchange(polling_, false)) return;
  timer_->cancel();
  for (const usb::TransferId id : std::views::reverse(asked_)) requests_.cancel(id);
}

void IsochronousSource::ask() {
  std::vector<usb::IsochronousPacket> packets(packets_);
  std::uint32_t offset = 0;
  for (usb::IsochronousPacket& packet : packets) {
    packet = {.offset = offset, .length = settings_.packet_bytes};
    offset += settings_.packet_bytes;
  }
  asked_.push_back(requests_.submit(
      {.endpoint = endpoint_,
       .direction = usb::Direction::in,
       .data = usb::TransferData::room(offset),
       .packets = std::move(packets)},
      [this, generation = settings_.generation, now = scheduler_.now()](
          usb::Transfer& transfer, usb::Completion completion) { on_answer(transfer, completion, generation, now); }));
}

/// The clock of a device that has none.
void IsochronousSource::tick() {
  if (!polling_) return;
  const Nanoseconds now = scheduler_.now();
  // After a loop that stood still the lost time is not made up for.
  next_ = std::max(next_, now - chunk() * static_cast<int>(kRequests));
  while (next_ <= now) {
    if (asked_.size() < kRequests) ask();
    next_ += chunk();
  }
  timer_->arm(next_ - now);
}

void IsochronousSource::on_answer(usb::Transfer& transfer, usb::Completion completion, std::uint32_t generation,
                                  Nanoseconds asked_at) {
  std::erase(asked_, transfer.id());
  if (!polling_ || generation != settings_.generation) return;
  // A failure of a whole request is that of each of its packets; `cancelled` is ours.
  if (completion.status == Status::cancelled || completion.status == Status::disconnected) return;
  const Bytes data = transfer.data.copy(transfer.data.size());
  IsochronousIn message{.endpoint = endpoint_, .generation = generation};
  for (const usb::IsochronousPacket& packet : transfer.packets) {
    const Status status = completion.status == Status::ok ? packet.status : completion.status;
    const std::uint32_t actual = status == Status::ok ? std::min(packet.actual, packet.length) : 0;
    message.packets.push_back({status, ByteView(data).subspan(packet.offset, actual)});
  }
  push_(message);
  const bool has_a_pace = scheduler_.now() - asked_at >= chunk() / 2;
  if (!has_a_pace || !polling_) return;
  ask();
  next_ = scheduler_.now() + chunk() * static_cast<int>(kRequests);
  timer_->arm(next_ - scheduler_.now());
}

}  // namespace periplex::attachment

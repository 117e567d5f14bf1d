// SPDX-License-Identifier: Apache-2.0
#include "attachment/isochronous_sink.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "attachment/limits.hpp"

namespace periplex::attachment {

IsochronousSink::~IsochronousSink() {
  for (const usb::TransferId id : std::views::reverse(submitted_)) requests_.drop(id);
}

std::size_t IsochronousSink::packets_in(Nanoseconds time) const {
  return static_cast<std::size_t>(time / interval_);
}

void IsochronousSink::on_packets(const IsochronousOut& message) {
  const Nanoseconds now = scheduler_.now();
  if (now - last_arrival_ > kPause) {
    playing_ = false;
    jitter_.restart();
  }
  last_arrival_ = now;
  interval_ = message.interval;
  jitter_.on_arrival(now, interval_ * static_cast<int>(message.packets.size()));
  largest_arrival_ = std::max(largest_arrival_, message.packets.size());
  if (playing_ && has_a_pace_ && with_device_ == 0) {
    ++counters_.under_runs;
    jitter_.on_dry();
    playing_ = false;
  }
  for (const ByteView packet : message.packets) {
    waiting_.emplace_back(packet.begin(), packet.end());
    waiting_bytes_ += packet.size();
  }
  while (waiting_.size() > kMaxWaiting || waiting_bytes_ > kMaxIsochronousBytes) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
    ++counters_.packets_out_dropped;
  }
  const std::size_t target = std::min(packets_in(jitter_.target()) + largest_arrival_, kMaxWaiting);
  if (waiting_.size() >= target) playing_ = true;
  if (playing_) submit();
}

/// All that waits goes to the device, as far as it may have it.
void IsochronousSink::submit() {
  const std::size_t most = std::max<std::size_t>(packets_in(kMostWithDevice), 1);
  while (!waiting_.empty() && with_device_ < most) {
    submit_first(std::min({waiting_.size(), most - with_device_, kMaxPacketsInRequest}));
  }
}

void IsochronousSink::submit_first(std::size_t count) {
  Bytes data;
  std::vector<usb::IsochronousPacket> packets;
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes& packet = waiting_.front();
    packets.push_back(
        {.offset = static_cast<std::uint32_t>(data.size()), .length = static_cast<std::uint32_t>(packet.size())});
    data.insert(data.end(), packet.begin(), packet.end());
    waiting_bytes_ -= packet.size();
    waiting_.pop_front();
  }
  with_device_ += count;
  counters_.packets_out += count;
  submitted_.push_back(requests_.submit(
      {.endpoint = endpoint_,
       .direction = usb::Direction::out,
       .data = usb::TransferData::owned(std::move(data)),
       .packets = std::move(packets)},
      [this, now = scheduler_.now()](const usb::Transfer& transfer, usb::Completion) { on_answer(transfer, now); }));
}

void IsochronousSink::on_answer(const usb::Transfer& transfer, Nanoseconds submitted) {
  std::erase(submitted_, transfer.id());
  with_device_ -= transfer.packets.size();
  const Nanoseconds lasts = interval_ * static_cast<int>(transfer.packets.size());
  has_a_pace_ = scheduler_.now() - submitted >= lasts / 2;
  if (playing_ && !waiting_.empty()) submit();
}

void IsochronousSink::stop() {
  waiting_.clear();
  waiting_bytes_ = 0;
  playing_ = false;
  for (const usb::TransferId id : std::views::reverse(submitted_)) requests_.cancel(id);
}

}  // namespace periplex::attachment

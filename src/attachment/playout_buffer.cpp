// SPDX-License-Identifier: Apache-2.0
#include "attachment/playout_buffer.hpp"

#include <algorithm>
#include <utility>

#include "attachment/limits.hpp"

namespace periplex::attachment {

using usb::Status;

PlayoutBuffer::PlayoutBuffer(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties,
                             RemoteTransfers& agent, Completions& completions, Scheduler& scheduler,
                             PeripheralCounters& counters)
    : endpoint_(endpoint),
      properties_(properties),
      agent_(agent),
      completions_(completions),
      scheduler_(scheduler),
      counters_(counters),
      idle_(scheduler.make_timer([this] { flush(); })) {}

void PlayoutBuffer::submit(usb::TransferPtr transfer) {
  idle_->arm(kIdle);
  if (!streaming_) poll();
  largest_request_ = std::max(largest_request_, std::min(transfer->packets.size(), kMaxIsochronousPackets));
  if (!playing_ && packets_.size() >= target()) playing_ = true;
  std::uint32_t total = 0;
  for (usb::IsochronousPacket& packet : transfer->packets) {
    fill(*transfer, packet);
    total += packet.actual;
  }
  completions_.push(std::move(transfer), {Status::ok, total});
}

void PlayoutBuffer::fill(usb::Transfer& transfer, usb::IsochronousPacket& packet) {
  packet.actual = 0;
  packet.status = Status::ok;
  if (playing_ && packets_.empty()) {
    ++counters_.under_runs;
    jitter_.on_dry();
    playing_ = false;
  }
  if (!playing_) return fill_silence(transfer, packet);
  const Packet next = std::move(packets_.front());
  packets_.pop_front();
  bytes_ -= next.data.size();
  const ByteView fits = ByteView(next.data).first(std::min<std::size_t>(next.data.size(), packet.length));
  packet.actual = static_cast<std::uint32_t>(transfer.data.write(packet.offset, fits));
  packet.status = packet.actual < next.data.size() ? Status::babble : next.status;
}

void PlayoutBuffer::fill_silence(usb::Transfer& transfer, usb::IsochronousPacket& packet) {
  if (!properties_.sound) return;
  const Bytes silence(std::min<std::size_t>(packet_bytes_, packet.length));
  packet.actual = static_cast<std::uint32_t>(transfer.data.write(packet.offset, silence));
}

void PlayoutBuffer::poll() {
  streaming_ = true;
  jitter_.restart();
  agent_.post(Poll{.endpoint = endpoint_,
                   .type = usb::TransferType::isochronous,
                   .generation = generation_,
                   .packet_bytes = std::min(properties_.interval_bytes, kMaxIsochronousPacketBytes),
                   .interval = properties_.interval}
                  .encode());
}

void PlayoutBuffer::flush() {
  if (!std::exchange(streaming_, false)) return;
  agent_.post(StopPolling{endpoint_}.encode());
  ++generation_;
  playing_ = false;
  packets_.clear();
  bytes_ = packet_bytes_ = 0;
  largest_request_ = largest_arrival_ = 0;
  idle_->cancel();
}

void PlayoutBuffer::configure(const Configuration::Endpoint& properties) {
  properties_ = properties;
}

Verdict PlayoutBuffer::on_packets(const IsochronousIn& message) {
  if (message.generation > generation_ || (message.generation == generation_ && !streaming_)) {
    return violation("isochronous packets that nobody has asked for");
  }
  if (message.generation < generation_) return {};
  counters_.packets_in += message.packets.size();
  largest_arrival_ = std::max(largest_arrival_, message.packets.size());
  jitter_.on_arrival(scheduler_.now(), properties_.interval * static_cast<int>(message.packets.size()));
  for (const IsochronousIn::Packet& packet : message.packets) {
    if (packet.data.size() > properties_.interval_bytes) return violation("an isochronous packet that is too large");
    bytes_ += packet.data.size();
    if (!packet.data.empty()) packet_bytes_ = packet.data.size();
    packets_.push_back({packet.status, Bytes(packet.data.begin(), packet.data.end())});
  }
  bound();
  return {};
}

std::size_t PlayoutBuffer::target() const {
  const auto jitter = static_cast<std::size_t>(jitter_.target() / properties_.interval);
  return std::min(jitter + largest_request_ + largest_arrival_, 4 * kMaxIsochronousPackets);
}

/// Too many wait: the guest's clock is slower than the device's, or a held connection has brought all at once.
void PlayoutBuffer::bound() {
  const std::size_t most = target() + static_cast<std::size_t>(kSlack / properties_.interval) + 1;
  if (packets_.size() > most) {
    while (packets_.size() > target()) drop_oldest();
  }
  while (bytes_ > kMaxIsochronousBytes) drop_oldest();
}

void PlayoutBuffer::drop_oldest() {
  bytes_ -= packets_.front().data.size();
  packets_.pop_front();
  ++counters_.packets_in_dropped;
}

}  // namespace periplex::attachment

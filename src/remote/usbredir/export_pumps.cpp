// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/export_pumps.hpp"

#include <algorithm>
#include <limits>

namespace periplex::remote::usbredir {
namespace {

void abandon(Submitter& submitter, std::set<usb::TransferId>& transfers) {
  for (auto each = transfers.rbegin(); each != transfers.rend(); ++each) submitter.abandon(*each);
  transfers.clear();
}

/// `count` packets of `size` bytes, one after the other.
std::vector<usb::IsochronousPacket> equal_packets(std::size_t count, std::uint32_t size) {
  std::vector<usb::IsochronousPacket> packets;
  for (std::size_t i = 0; i < count; ++i) {
    packets.push_back({.offset = static_cast<std::uint32_t>(i * size), .length = size});
  }
  return packets;
}

}  // namespace

ReceivingPump::~ReceivingPump() {
  abandon(submitter_, in_flight_);
}

void ReceivingPump::start() {
  const unsigned transfers = settings_.kind == PumpKind::interrupt ? kInterruptTransfers : settings_.urbs;
  for (unsigned i = 0; i < transfers; ++i) submit();
}

void ReceivingPump::submit() {
  auto id = std::make_shared<usb::TransferId>();
  *id = submitter_.data(
      settings_.endpoint, usb::TransferData::room(bytes_), static_cast<std::uint16_t>(settings_.stream),
      [this, id](usb::Transfer& transfer, usb::Completion completion) { on_done(*id, transfer, completion); });
  in_flight_.insert(*id);
}

void ReceivingPump::on_done(usb::TransferId id, usb::Transfer& transfer, usb::Completion completion) {
  in_flight_.erase(id);
  if (ended_) return;
  const Result result = result_of(completion.status);
  if (result != Result::stall) push_data(result, transfer.data.copy(completion.actual));
  if (result != Result::success && result != Result::babble) {
    // The usb-guest hears of the halt and clears it, or begins anew.
    ended_ = true;
    abandon(submitter_, in_flight_);
    return host_.send(0, PumpStatus{.kind = settings_.kind,
                                    .endpoint = settings_.endpoint,
                                    .result = Result::stall,
                                    .stream = settings_.stream});
  }
  if (host_.congested()) {
    ++parked_;
  } else {
    submit();
  }
}

void ReceivingPump::resume() {
  for (unsigned parked = std::exchange(parked_, 0); parked > 0; --parked) submit();
}

void ReceivingPump::push_data(Result result, Bytes data) {
  if (settings_.kind == PumpKind::bulk) {
    return host_.send(
        next_++,
        BufferedBulkData{
            .endpoint = settings_.endpoint, .result = result, .stream = settings_.stream, .data = std::move(data)});
  }
  const auto length = static_cast<std::uint16_t>(data.size());
  host_.send(next_++, InterruptData{
                          .endpoint = settings_.endpoint, .result = result, .length = length, .data = std::move(data)});
}

Metronome::Metronome(Scheduler& scheduler, Nanoseconds period, std::function<void()> beat)
    : scheduler_(scheduler),
      period_(period),
      beat_(std::move(beat)),
      timer_(scheduler.make_timer([this] { on_timer(); })) {}

void Metronome::start() {
  next_ = scheduler_.now() + period_;
  timer_->arm(period_);
}

void Metronome::on_timer() {
  const Nanoseconds now = scheduler_.now();
  next_ += period_;
  if (now - next_ > kMostBeatsLate * period_) next_ = now + period_;
  timer_->arm(std::max(next_ - now, Nanoseconds(0)));
  beat_();
}

CapturePump::CapturePump(const StartPump& settings, std::uint32_t packet_size, Nanoseconds interval, PumpHost& host,
                         Submitter& submitter, Scheduler& scheduler)
    : ExportPump(settings),
      packet_size_(packet_size),
      host_(host),
      submitter_(submitter),
      metronome_(scheduler, interval * settings.packets_per_urb, [this] { beat(); }) {}

CapturePump::~CapturePump() {
  abandon(submitter_, in_flight_);
}

void CapturePump::beat() {
  if (in_flight_.size() >= settings_.urbs || host_.congested()) return;
  const std::size_t count = settings_.packets_per_urb;
  auto id = std::make_shared<usb::TransferId>();
  *id = submitter_.isochronous(
      settings_.endpoint, usb::TransferData::room(count * packet_size_), equal_packets(count, packet_size_),
      [this, id](usb::Transfer& transfer, usb::Completion completion) { on_done(*id, transfer, completion); });
  in_flight_.insert(*id);
}

void CapturePump::on_done(usb::TransferId id, usb::Transfer& transfer, usb::Completion completion) {
  in_flight_.erase(id);
  for (const usb::IsochronousPacket& packet : transfer.packets) {
    const bool whole = completion.status == usb::Status::ok;
    Bytes data(whole ? std::min<std::size_t>(packet.actual, std::numeric_limits<std::uint16_t>::max()) : 0);
    data.resize(transfer.data.read(packet.offset, data));
    const auto length = static_cast<std::uint16_t>(data.size());
    host_.send(next_++, IsochronousData{.endpoint = settings_.endpoint,
                                        .result = result_of(whole ? packet.status : completion.status),
                                        .length = length,
                                        .data = std::move(data)});
  }
}

PlaybackPump::PlaybackPump(const StartPump& settings, std::uint32_t packet_size, Nanoseconds interval, PumpHost& host,
                           Submitter& submitter, Scheduler& scheduler)
    : ExportPump(settings),
      packet_size_(packet_size),
      host_(host),
      submitter_(submitter),
      metronome_(scheduler, interval * settings.packets_per_urb, [this] { beat(); }) {}

PlaybackPump::~PlaybackPump() {
  abandon(submitter_, in_flight_);
}

void PlaybackPump::push(IsochronousData&& packet) {
  if (packets_.size() >= capacity()) return;
  if (packet.data.size() > packet_size_) packet.data.resize(packet_size_);
  packets_.push_back(std::move(packet.data));
  if (!metronome_.running() && packets_.size() >= std::max<std::size_t>(capacity() / 2, 1)) metronome_.start();
}

void PlaybackPump::beat() {
  if (in_flight_.size() >= settings_.urbs) return;
  if (packets_.size() < settings_.packets_per_urb) return metronome_.stop();  // until there are enough again
  Bytes data;
  std::vector<usb::IsochronousPacket> packets;
  for (unsigned i = 0; i < settings_.packets_per_urb; ++i) {
    const Bytes& next = packets_.front();
    packets.push_back(
        {.offset = static_cast<std::uint32_t>(data.size()), .length = static_cast<std::uint32_t>(next.size())});
    data.insert(data.end(), next.begin(), next.end());
    packets_.pop_front();
  }
  auto id = std::make_shared<usb::TransferId>();
  *id = submitter_.isochronous(
      settings_.endpoint, usb::TransferData::owned(std::move(data)), std::move(packets),
      [this, id](const usb::Transfer& transfer, usb::Completion completion) { on_done(*id, transfer, completion); });
  in_flight_.insert(*id);
}

void PlaybackPump::on_done(usb::TransferId id, const usb::Transfer& transfer, usb::Completion completion) {
  in_flight_.erase(id);
  usb::Status worst = completion.status;
  for (const usb::IsochronousPacket& packet : transfer.packets) {
    if (packet.status != usb::Status::ok) worst = packet.status;
  }
  if (worst == usb::Status::ok) return;
  // `stall` would say that the stream has stopped.
  host_.send(0, PumpStatus{.kind = PumpKind::isochronous, .endpoint = settings_.endpoint, .result = Result::io_error});
}

}  // namespace periplex::remote::usbredir

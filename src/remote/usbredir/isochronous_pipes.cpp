// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/isochronous_pipes.hpp"

#include <algorithm>
#include <limits>

namespace periplex::remote::usbredir {

void IsochronousIn::submit(usb::TransferPtr transfer) {
  asked_ = clock_.now();
  if (pump_.state() == Pump::State::stopped) pump_.start();
  std::uint32_t sum = 0;
  for (usb::IsochronousPacket& packet : transfer->packets) {
    packet.actual = 0;
    packet.status = usb::Status::ok;
    fill(*transfer, packet);
    sum += packet.actual;
  }
  completions_.push(std::move(transfer), {usb::Status::ok, sum});
}

void IsochronousIn::fill(usb::Transfer& transfer, usb::IsochronousPacket& packet) {
  if (filling_ && packets_.size() >= plan_.target) filling_ = false;
  if (filling_ || packets_.empty()) {
    filling_ = true;
    if (failure_) packet.status = status_of(*std::exchange(failure_, std::nullopt));
    return;
  }
  const IsochronousData& oldest = packets_.front();
  const std::size_t size = std::min<std::size_t>(oldest.data.size(), packet.length);
  packet.actual = static_cast<std::uint32_t>(transfer.data.write(packet.offset, ByteView(oldest.data).first(size)));
  packet.status = oldest.data.size() > packet.length ? usb::Status::babble : status_of(oldest.result);
  drop_oldest();
}

void IsochronousIn::on_data(IsochronousData&& data) {
  if (pump_.state() != Pump::State::running) return;
  if (clock_.now() - asked_ > kIdle) return stop();
  if (packets_.size() >= plan_.most || bytes_ + data.data.size() > kMaxBytes) {
    // The stream is broken anyhow: back to what there should be.
    while (!packets_.empty() && (packets_.size() > plan_.target || bytes_ + data.data.size() > kMaxBytes)) {
      drop_oldest();
      ++dropped_;
    }
  }
  bytes_ += data.data.size();
  packets_.push_back(std::move(data));
}

void IsochronousIn::on_status(MessageId id, Result result) {
  if (const auto bad = pump_.on_status(id, result)) failure_ = *bad;
}

void IsochronousIn::stop() {
  pump_.stop();
  clear();
}

void IsochronousIn::forget() {
  pump_.forget();
  clear();
}

void IsochronousIn::clear() {
  packets_.clear();
  bytes_ = 0;
  filling_ = true;
  failure_.reset();
}

void IsochronousIn::drop_oldest() {
  bytes_ -= packets_.front().data.size();
  packets_.pop_front();
}

void IsochronousOut::submit(usb::TransferPtr transfer) {
  if (pump_.state() == Pump::State::stopped) pump_.start();
  std::uint32_t sum = 0;
  for (usb::IsochronousPacket& packet : transfer->packets) {
    packet.actual = 0;
    packet.status = usb::Status::ok;
    if (failure_) packet.status = status_of(*std::exchange(failure_, std::nullopt));
    if (packet.length > std::numeric_limits<std::uint16_t>::max()) packet.status = usb::Status::error;
    if (packet.status != usb::Status::ok) continue;
    Bytes data(packet.length);
    data.resize(transfer->data.read(packet.offset, data));
    packet.actual = static_cast<std::uint32_t>(data.size());
    sum += packet.actual;
    wire_.send(next_++, IsochronousData{.endpoint = pump_.settings().endpoint,
                                        .length = static_cast<std::uint16_t>(data.size()),
                                        .data = std::move(data)});
  }
  completions_.push(std::move(transfer), {usb::Status::ok, sum});
}

void IsochronousOut::on_status(MessageId id, Result result) {
  if (const auto bad = pump_.on_status(id, result)) failure_ = *bad;
}

void IsochronousOut::stop() {
  pump_.stop();
  failure_.reset();
}

void IsochronousOut::forget() {
  pump_.forget();
  failure_.reset();
}

}  // namespace periplex::remote::usbredir

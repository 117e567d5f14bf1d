// SPDX-License-Identifier: Apache-2.0
#include "agent/served.hpp"

#include <utility>

namespace periplex::agent {

using link::Reason;

namespace {

/// One piece of what waits, for the channel.
constexpr std::size_t kPiece = std::size_t{64} * 1024;

}  // namespace

Served::Served(std::string id, ServedHost& host, Scheduler& scheduler, const Settings& settings)
    : id_(std::move(id)),
      host_(host),
      scheduler_(scheduler),
      settings_(settings),
      farewell_time_(scheduler.make_timer([this] { end(*farewell_); })),
      disk_server_(scheduler),
      self_(std::make_shared<Served*>(this)) {}

Served::~Served() {
  running_ = false;
  server_.reset();  // asks the device to end what it does for it
  device_.reset();
}

void Served::open(seat::Source& source) {
  source.open(
      [weak = std::weak_ptr(self_)] {
        if (const auto self = weak.lock()) (*self)->on_gone();
      },
      [weak = std::weak_ptr(self_)](std::expected<std::unique_ptr<usb::Device>, std::string> device) {
        if (const auto self = weak.lock()) (*self)->on_opened(std::move(device));
      });
}

void Served::on_opened(std::expected<std::unique_ptr<usb::Device>, std::string> device) {
  if (ended_ || leaving()) return;
  if (!device) return end({.reason = Reason::device_failed, .text = std::move(device.error())});
  device_ = std::move(*device);
  attachment::ServerHost& host = *this;
  server_ = std::make_unique<attachment::DeviceServer>(*device_, id_, host, scheduler_, settings_.instances,
                                                       settings_.server, &disk_server_);
  if (!running_) return;
  server_->connected();
  if (const Bytes early = std::exchange(early_, {}); !early.empty()) feed(early);
}

/// As libusb tells; that it is unplugged is heard of in another way, too, and perhaps later.
void Served::on_gone() {
  farewell({.reason = Reason::unplugged}, Nanoseconds(std::chrono::seconds(1)));
}

void Served::started() {
  running_ = true;
  early_.clear();
  unsent_.clear();
  if (server_) server_->connected();
}

void Served::stopped() {
  if (!std::exchange(running_, false)) return;
  early_.clear();
  unsent_.clear();
  if (server_) server_->disconnected();
}

void Served::detach() {
  stopped();
  channel_.reset();
}

void Served::retire() {
  ended_ = true;
  farewell_time_->cancel();
  detach();
}

void Served::receive(ByteView bytes) {
  if (ended_) return;
  if (server_) return feed(bytes);
  // They are not told as consumed, so the far end stops when its window is full.
  early_.insert(early_.end(), bytes.begin(), bytes.end());
}

void Served::feed(ByteView bytes) {
  const auto channel = channel_;
  server_->receive(bytes);
  // What the worker may ask for is bounded in the server; so nothing need wait here.
  if (channel) host_.consumed(*channel, bytes.size());
  check_farewell();
}

void Served::send(Bytes bytes) {
  if (!running_ || ended_) return;
  unsent_.push(bytes);
  flush();
}

void Served::writable() {
  flush();
}

void Served::flush() {
  if (std::exchange(flushing_, true)) return;  // to be told that there is room, from inside `send`
  while (running_ && channel_ && !unsent_.empty()) {
    const ByteView piece = unsent_.front(kPiece);
    const std::size_t size = piece.size();
    const std::size_t taken = host_.send(*channel_, piece);
    unsent_.pop(taken);
    if (taken < size) break;
  }
  flushing_ = false;
}

/// A worker that is there already takes the place of the one that has left.
void Served::worker_left() {
  if (!running_) end({.reason = Reason::worker_gone});
}

void Served::server_failed(std::string why) {
  end({.reason = Reason::device_failed, .text = std::move(why)});
}

void Served::farewell(const link::Ending& why, Nanoseconds patience) {
  if (ended_) return;
  const bool first = !leaving();
  farewell_ = why;
  farewell_time_->arm(patience);
  if (first) {
    if (server_) server_->device_gone(std::string(name(why.reason)));
    // It may be the one that is calling.
    scheduler_.defer([weak = std::weak_ptr(self_)] {
      if (const auto self = weak.lock()) (*self)->device_.reset();
    });
  }
  check_farewell();
}

void Served::check_farewell() {
  if (!leaving() || ended_) return;
  if (!in_session() || server_->worker_has_all()) end(*farewell_);
}

void Served::end(const link::Ending& why) {
  if (std::exchange(ended_, true)) return;
  farewell_time_->cancel();
  const link::Ending told = why;
  host_.served_ended(*this, told);
}

}  // namespace periplex::agent

// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_peripheral.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/log.hpp"
#include "machine/seat_session.hpp"
#include "usb/device/write_protected_disk.hpp"
#include "usb/device_reference.hpp"
#include "usb/other_speed_device.hpp"

namespace periplex::machine {
namespace {

/// What stands in front of a session's device. It goes from the guest's side on.
struct Front {
  explicit Front(std::unique_ptr<usb::Device> made) : preset(std::move(made)) {}
  std::unique_ptr<usb::Device> preset;
  std::unique_ptr<usb::Device> other_speed;
};

}  // namespace

Outcome<std::unique_ptr<RemotePeripheral>> RemotePeripheral::make(Description description, UniqueFd socket,
                                                                  const RemoteServices& services) {
  if (description.is_dialled_in() && !Acceptor::suits(socket)) {
    return std::unexpected(Refusal{Reason::invalid,
                                   fmt::format("what came for {} is no listening socket", description.id),
                                   "hand over a stream socket that listens, as `periplex attach` does"});
  }
  if (description.seat() == nullptr && !description.is_dialled_in() && !ByteStream::suits(socket)) {
    return std::unexpected(Refusal{Reason::invalid, fmt::format("what came for {} is not a connection", description.id),
                                   "hand over a connected stream socket, as `periplex attach` does"});
  }
  return std::unique_ptr<RemotePeripheral>(new RemotePeripheral(std::move(description), std::move(socket), services));
}

RemotePeripheral::RemotePeripheral(Description description, UniqueFd socket, const RemoteServices& services)
    : description_(std::move(description)),
      services_(services),
      remote_(make_remote_session(description_, static_cast<remote::SessionHost&>(*this), services.loop)) {
  if (!description_.is_dialled_in()) {
    if (socket) connect(std::move(socket));
    return;
  }
  dial_in_ = std::make_unique<DialIn>(
      services_.loop, std::move(socket),
      DialIn::Events{.connected = [this](UniqueFd connection) { connect(std::move(connection)); },
                     .no_answer = [this] { wait_again("whoever has connected does not answer as a USB/IP server"); }});
}

void RemotePeripheral::connect(UniqueFd socket) {
  if (state_ == RemoteState::gone || leaving_) return;
  if (stream_) lost();
  stream_ = std::make_unique<ByteStream>(
      services_.loop, std::move(socket),
      ByteStream::Events{.received = [this](ByteView bytes) { remote_.session->receive(bytes); },
                         .closed =
                             [this](const std::string& why) {
                               if (state_ != RemoteState::gone) log::info("machine", fmt::format("{}: {}", id(), why));
                               lost();
                             },
                         .drained = {}});
  remote_.session->connected();
}

/// The stream is at its end, or another takes its place.
void RemotePeripheral::lost() {
  // It may be the one that is calling.
  if (stream_) services_.loop.defer([old = std::move(stream_)] {});
  if (state_ != RemoteState::gone) remote_.session->disconnected();
}

RemotePeripheral::~RemotePeripheral() {
  leave();
  // What it holds for the guest comes back through what stands in front of it.
  remote_ = {};
}

void RemotePeripheral::leave() {
  if (std::exchange(leaving_, true)) return;
  if (dial_in_) dial_in_->stop();
  pull();
  remote_.session->disconnected();
  if (stream_) stream_->finish();
}

PeripheralView RemotePeripheral::view() const {
  PeripheralView view{.description = description_,
                      .port = port_.value,
                      .leds = {},
                      .terminal = {},
                      .remote = RemoteView{.state = state_, .why = why_}};
  if (!in_port()) {
    view.description.speed.reset();
    return view;
  }
  view.description.controller = controller_;
  view.description.speed = front_->speed();
  if (remote_.seat != nullptr) view.remote->disk = remote_.seat->disk();
  services_.controllers.for_each_endpoint(
      *front_, controller_, [&](usb::EndpointAddress endpoint, usb::TransferType, const usb::EndpointCounters&) {
        view.configured |= endpoint.number() != 0;
      });
  return view;
}

PeripheralStatistics RemotePeripheral::statistics() const {
  PeripheralStatistics statistics{
      .id = id(), .controller = controller_, .endpoints = {}, .session = remote_.session->counts()};
  if (!in_port()) return statistics;
  if (remote_.seat != nullptr) statistics.disk = remote_.seat->disk_statistics();
  services_.controllers.for_each_endpoint(
      *front_, controller_,
      [&](usb::EndpointAddress address, usb::TransferType type, const usb::EndpointCounters& counters) {
        statistics.endpoints.push_back({address, type, counters});
      });
  return statistics;
}

/// The device as an administrator wants it.
std::unique_ptr<usb::Device> RemotePeripheral::as_preset(usb::Device& device) const {
  std::unique_ptr<usb::Device> made = std::make_unique<usb::DeviceReference>(device);
  const Seat* const seat = description_.seat();
  const Preset* const preset = services_.presets.find(seat != nullptr ? seat->peripheral : id());
  if (preset == nullptr) return made;
  if (preset->readonly) made = std::make_unique<usb::device::WriteProtectedDisk>(std::move(made), services_.loop);
  return std::make_unique<usb::device::PresetDevice>(std::move(made), preset->device, services_.loop);
}

/// What goes into the port.
std::unique_ptr<usb::Device> RemotePeripheral::in_front_of(usb::Device& device) const {
  const usb::Speed limit = std::min(device.speed(), description_.speed.value_or(device.speed()));
  usb::Speed speed = limit;
  if (!services_.controllers.runs(limit, description_.controller)) {
    speed = std::min(limit, services_.controllers.best_speed(limit, description_.controller));
  }
  const auto front = std::make_shared<Front>(as_preset(device));
  if (speed < device.speed()) {
    front->other_speed = std::make_unique<usb::OtherSpeedDevice>(*front->preset, speed, services_.loop);
  }
  usb::Device& outermost = front->other_speed ? *front->other_speed : *front->preset;
  return std::make_unique<usb::DeviceReference>(outermost, front);
}

void RemotePeripheral::device_arrived(usb::Device& device) {
  auto front = in_front_of(device);
  const usb::DeviceLabel label = services_.next_label(front->speed());
  // A session may offer a device again; what the old front has finished is still on its way.
  if (front_) services_.loop.defer([old = std::move(front_)] {});
  front_ = std::make_unique<usb::ObservedDevice>(std::move(front), label);
  services_.watch(*front_);
  auto place = services_.controllers.plug(*front_, description_.controller);
  if (!place) return become_gone(fmt::format("{} ({})", place.error().text, place.error().advice));
  controller_ = std::move(place->controller);
  port_ = place->port;
  state_ = RemoteState::plugged;
  why_.clear();
  if (dial_in_) dial_in_->answered();
  if (arrivals_.allow(services_.loop.now())) {
    log::info("machine", fmt::format("{} is in port {} of {}", id(), port_.value, controller_));
  }
}

void RemotePeripheral::device_left(usb::Device&) {
  pull();
  // It comes back, or the session says that it has failed.
  if (state_ != RemoteState::gone) state_ = RemoteState::connecting;
}

void RemotePeripheral::session_held(bool held) {
  if (in_port()) state_ = held ? RemoteState::held : RemoteState::plugged;
}

void RemotePeripheral::session_failed(std::string why) {
  if (dial_in_ && state_ != RemoteState::gone && !leaving_) return wait_again(std::move(why));
  become_gone(std::move(why));
}

/// The far end may connect again; that is another session.
void RemotePeripheral::wait_again(std::string why) {
  if (losses_.allow(services_.loop.now()))
    log::warning("machine", fmt::format("{} is waited for again: {}", id(), why));
  state_ = RemoteState::connecting;
  why_ = std::move(why);
  // Stream and session may be calling, and what the front has finished is still on its way. It is destroyed first.
  services_.loop.defer([old = std::pair(std::move(remote_), std::move(front_)), stream = std::move(stream_)] {});
  remote_ = make_remote_session(description_, static_cast<remote::SessionHost&>(*this), services_.loop);
  dial_in_->lost();
}

void RemotePeripheral::pull() {
  if (!in_port()) return;
  services_.controllers.pull(*front_, controller_);
  port_ = usb::PortNumber();
  controller_.clear();
}

void RemotePeripheral::become_gone(std::string why) {
  if (state_ == RemoteState::gone) return;
  state_ = RemoteState::gone;
  why_ = std::move(why);
  if (leaving_) return;
  if (dial_in_) dial_in_->stop();
  log::warning("machine", fmt::format("{} is gone: {}", id(), why_));
  if (stream_) stream_->finish();
  if (const Seat* seat = description_.seat(); seat != nullptr && services_.leave) services_.leave(seat->peripheral);
}

}  // namespace periplex::machine

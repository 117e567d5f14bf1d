// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/importer.hpp"

#include <algorithm>
#include <concepts>
#include <utility>

#include "base/log.hpp"

namespace periplex::remote::usbredir {
namespace {

Capabilities our_capabilities() {
  Capabilities all = Capabilities::all();
  all.filter = false;
  all.bulk_receiving = false;  // for devices whose bulk endpoints are polled; their transfers work without
  return all;
}

template <typename Kind>
constexpr bool kConcernsDevice =
    !std::same_as<Kind, Hello> && !std::same_as<Kind, DeviceConnect> && !std::same_as<Kind, DeviceDisconnect> &&
    !std::same_as<Kind, InterfaceInfo> && !std::same_as<Kind, EndpointInfo>;

/// libusb tells none of the speeds past SuperSpeed, so such a device comes as `unknown`: its bulk packets tell.
usb::Speed speed_of(WireSpeed speed, const EndpointInfo& endpoints) {
  switch (speed) {
    case WireSpeed::low:
      return usb::Speed::low;
    case WireSpeed::full:
      return usb::Speed::full;
    case WireSpeed::high:
      return usb::Speed::high;
    case WireSpeed::super:
      return usb::Speed::super;
    case WireSpeed::unknown:
      break;
  }
  std::uint16_t largest = 0;
  for (const EndpointInfo::Entry& each : endpoints.entries) {
    if (each.is(usb::TransferType::bulk)) largest = std::max(largest, each.max_packet_size);
  }
  if (largest >= 1024) return usb::Speed::super;
  return largest >= 512 ? usb::Speed::high : usb::Speed::full;
}

}  // namespace

Importer::Importer(SessionHost& host, Scheduler& scheduler) : host_(host), scheduler_(scheduler) {}
Importer::~Importer() = default;

void Importer::connected() {
  if (state_ != State::idle) return;
  state_ = State::greeting;
  Parser::Handler& handler = *this;
  parser_ = std::make_unique<Parser>(Parser::Side::guest, our_capabilities(), handler);
  parser_->start();
}

void Importer::receive(ByteView bytes) {
  if (state_ != State::greeting && state_ != State::open) return;
  const auto received = parser_->receive(bytes);
  if (!received) fail(received.error());
  if (!failure_.empty()) end(std::exchange(failure_, {}));
}

void Importer::disconnected() {
  if (state_ == State::ended) return;
  end("the connection is lost");
}

void Importer::send(MessageId id, const Message& message) {
  if (state_ == State::open) parser_->send(id, message);
}

MessageId Importer::request(const Message& message) {
  const MessageId id = ++last_request_;
  send(id, message);
  return id;
}

void Importer::on_message(MessageId id, Message message) {
  if (!failure_.empty() || state_ == State::ended) return;
  std::visit(
      [&]<typename Kind>(Kind&& each) {
        if constexpr (kConcernsDevice<Kind>) {
          pass(id, std::forward<Kind>(each));
        } else {
          on(id, each);
        }
      },
      std::move(message));
}

void Importer::on(MessageId, const Hello& message) {
  peer_ = message.version;
  const Capabilities& common = parser_->common();
  if (!common.max_packet_size || !common.bulk_lengths_32_bits || !common.ids_64_bits) {
    return fail(
        "the other side is older than usbredir 0.6: it cannot carry packet sizes, bulk transfers past 64 KiB "
        "and numbers of 64 bits");
  }
  state_ = State::open;
}

void Importer::on(MessageId, const EndpointInfo& message) {
  endpoints_ = message;
  if (device_) device_->set_endpoints(message);
}

void Importer::on(MessageId, const InterfaceInfo&) {}  // the guest reads descriptors

void Importer::on(MessageId, const DeviceConnect& message) {
  if (device_) return fail("the other side connects a second device");
  Wire& wire = *this;
  std::function<void()> misses_streams;
  if (!parser_->common().bulk_streams) misses_streams = [this] { tell_of_streams(); };
  device_ = std::make_unique<ImportedDevice>(speed_of(message.speed, endpoints_), endpoints_, wire, scheduler_,
                                             std::move(misses_streams));
  host_.device_arrived(*device_);
}

void Importer::tell_of_streams() {
  if (std::exchange(told_of_streams_, true)) return;
  log::warning("remote",
               "a device needs streams, which its usbredir server cannot carry: a guest's driver will refuse it");
}

void Importer::on(MessageId, const DeviceDisconnect&) {
  remove_device();
  endpoints_ = {};
}

template <typename Answer>
void Importer::pass(MessageId id, Answer&& message) {
  if (!device_) return;  // late
  if constexpr (requires {
                  { device_->on(id, std::forward<Answer>(message)) } -> std::same_as<bool>;
                }) {
    if (!device_->on(id, std::forward<Answer>(message))) fail("the other side answers what was not asked");
  } else if constexpr (requires { device_->on(id, std::forward<Answer>(message)); }) {
    device_->on(id, std::forward<Answer>(message));
  } else if constexpr (requires { device_->on(std::forward<Answer>(message)); }) {
    device_->on(std::forward<Answer>(message));
  }
}

void Importer::remove_device() {
  if (!device_) return;
  host_.device_left(*device_);
  device_->leave();
  // What the host had in front of a device may go a turn later than the device that it stood before.
  if (left_) scheduler_.defer([old = std::move(left_)] {});
  left_ = std::move(device_);
}

void Importer::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
}

void Importer::end(std::string why) {
  state_ = State::ended;
  remove_device();
  host_.session_failed(std::move(why));
}

}  // namespace periplex::remote::usbredir

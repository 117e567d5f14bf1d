// SPDX-License-Identifier: Apache-2.0
#include "attachment/remote_peripheral.hpp"

#include <utility>

#include "base/trace.hpp"

namespace periplex::attachment {

using Link = PeripheralState::Link;

std::string_view name(Link link) {
  switch (link) {
    case Link::absent:
      return "absent";
    case Link::connected:
      return "connected";
    case Link::held:
      return "held";
    case Link::lost:
      return "lost";
    case Link::failed:
      return "failed";
  }
  return "?";
}

RemotePeripheral::RemotePeripheral(remote::SessionHost& host, Scheduler& scheduler, InstanceSource instances,
                                   PeripheralOptions options, PeripheralExtension* extension)
    : host_(host),
      scheduler_(scheduler),
      options_(std::move(options)),
      extension_(extension),
      hold_(scheduler.make_timer([this] { hold_is_over(); })),
      giving_up_(scheduler.make_timer([this] {
        stream_.forget();
        unplug(std::exchange(give_up_why_, {}));
      })),
      unique_id_(options_.unique_id),
      stream_(*this, scheduler, std::move(instances),
              kCapabilityTransfers | (extension == nullptr ? 0 : extension->capabilities())) {
  state_.since = scheduler.now();
}

RemotePeripheral::~RemotePeripheral() {
  if (extension_begun_) extension_->end();
}

void RemotePeripheral::connected() {
  if (stream_.open()) disconnected();
  stream_.connected();
}

void RemotePeripheral::receive(ByteView bytes) {
  stream_.receive(bytes);
}

std::vector<remote::Count> RemotePeripheral::counts() const {
  return {{"submitted", counters_.submitted},
          {"answered_here", counters_.answered_here},
          {"given_up", counters_.given_up},
          {"late_results", counters_.late_results},
          {"reports", counters_.reports},
          {"stale_reports", counters_.stale_reports},
          {"full_queues", counters_.full_queues},
          {"packets_out", counters_.packets_out},
          {"packets_out_dropped", counters_.packets_out_dropped},
          {"packets_in", counters_.packets_in},
          {"packets_in_dropped", counters_.packets_in_dropped},
          {"under_runs", counters_.under_runs},
          {"holds", counters_.holds}};
}

void RemotePeripheral::disconnected() {
  stream_.disconnected();
  if (state_.link != Link::connected) return;
  ++counters_.holds;
  enter(Link::held);
  hold_->arm(options_.hold);
  device_->on_disconnected();
  if (extension_begun_) extension_->on_held();
  host_.session_held(true);
}

void RemotePeripheral::on_begin() {
  trace::line("attachment", "a session begins");
}

void RemotePeripheral::on_resume() {
  if (state_.link != Link::held) return;
  hold_->cancel();
  enter(Link::connected);
  device_->on_room();
  if (extension_begun_) extension_->on_resumed();
  host_.session_held(false);
}

void RemotePeripheral::on_lost() {
  unplug("the agent was restarted, or knows nothing of this session");
}

void RemotePeripheral::on_room() {
  if (device_) device_->on_room();
  if (extension_begun_) extension_->on_room();
}

void RemotePeripheral::on_failed(StreamError why) {
  fail(std::string(attachment::name(why)));
}

void RemotePeripheral::on_message(ByteView payload) {
  if (const Verdict verdict = handle(payload); !verdict) fail("the agent has sent " + std::string(verdict.error()));
}

Verdict RemotePeripheral::handle(ByteView payload) {
  const auto type = static_cast<MessageType>(payload.front());
  const ByteView body = payload.subspan(1);
  if (type == MessageType::describe) return on_describe(body);
  if (type == MessageType::gone) return on_gone(body);
  // Without a device there is nothing else to say.
  if (!device_) return violation("a message before it has described the device");
  if (extension_begun_ && is_extension(payload.front())) return extension_->on_message(payload);
  return device_->on_message(type, body);
}

Verdict RemotePeripheral::on_describe(ByteView body) {
  auto description = Describe::parse(body);
  if (!description) return violation("a broken DESCRIBE");
  if (!unique_id_.empty() && description->unique_id != unique_id_) return violation("the name of another peripheral");
  if ((stream_.capabilities() & kCapabilityTransfers) == 0) return violation("a device that takes no transfers");
  unique_id_ = description->unique_id;
  const bool plugged_in = description_.has_value();
  if (!plugged_in && comes_too_often()) return violation("the same device again and again");
  description_ = std::move(description);
  if (plugged_in) return device_->describe(*description_);
  plug_in();
  return {};
}

/// Each time costs the guest a hot-plug.
bool RemotePeripheral::comes_too_often() {
  const bool soon = arrivals_in_a_row_ > 0 && scheduler_.now() - state_.since < kArrivalPause;
  arrivals_in_a_row_ = soon ? arrivals_in_a_row_ + 1 : 1;
  return arrivals_in_a_row_ > kMaxArrivalsInARow;
}

void RemotePeripheral::plug_in() {
  device_ = std::make_unique<RemoteDevice>(*description_, stream_, scheduler_, counters_,
                                           RemoteDevice::Options{.control_patience = options_.control_patience},
                                           [this] { fail("the guest wants more than can wait for a connection"); });
  enter(Link::connected);
  bool extension_shows = false;
  if (extension_ != nullptr && (stream_.capabilities() & extension_->capabilities()) != 0) {
    extension_begun_ = true;
    extension_shows = extension_->begin(*description_, *this);
  }
  if (!extension_shows) show(nullptr);
}

void RemotePeripheral::show(usb::Device* device) {
  if (!device_ || shown_ != nullptr) return;
  shown_ = device != nullptr ? device : device_.get();
  host_.device_arrived(*shown_);
}

/// Later: we are inside the extension, which would end.
void RemotePeripheral::give_up(std::string why) {
  if (!extension_begun_ || giving_up_->armed()) return;
  give_up_why_ = std::move(why);
  giving_up_->arm(Nanoseconds(0));
}

Verdict RemotePeripheral::on_gone(ByteView body) {
  const auto message = Gone::parse(body);
  if (!message) return violation("a broken GONE");
  unplug(message->reason);
  return {};
}

/// Nobody calls the device once the host has been told.
void RemotePeripheral::unplug(std::string why) {
  hold_->cancel();
  giving_up_->cancel();
  if (!device_) return;
  enter(Link::lost, std::move(why));
  description_.reset();
  if (usb::Device* const left = std::exchange(shown_, nullptr); left != nullptr) host_.device_left(*left);
  if (std::exchange(extension_begun_, false)) extension_->end();
  device_.reset();
}

void RemotePeripheral::hold_is_over() {
  stream_.forget();
  unplug("there was no connection for too long");
}

void RemotePeripheral::fail(std::string why) {
  if (state_.link == Link::failed) return;
  stream_.kill();
  unplug(why);
  enter(Link::failed, why);
  host_.session_failed(std::move(why));
}

void RemotePeripheral::enter(Link link, std::string why) {
  trace::line("attachment", "peripheral {}: {} {}", unique_id_, attachment::name(link), why);
  state_ = {.link = link, .since = scheduler_.now(), .why = std::move(why)};
}

}  // namespace periplex::attachment

// SPDX-License-Identifier: Apache-2.0
#include "remote/usbredir/exporter.hpp"

#include <utility>

namespace periplex::remote::usbredir {

Exporter::~Exporter() {
  pumps_.clear();
  if (submitter_) submitter_->abandon_all();
}

void Exporter::offer(std::unique_ptr<usb::Device> device) {
  withdraw();
  submitter_ = std::make_unique<Submitter>(std::move(device));
  enumeration_ = std::make_unique<Enumeration>(*submitter_, [this](auto facts) { on_facts(std::move(facts)); });
  if (state_ != State::idle) enumerate();
}

void Exporter::withdraw() {
  if (introduced_) {
    stop_pumps(std::nullopt, false);
    for (auto& [id, asked] : std::exchange(asked_, {})) send(id, asked.answer);
    send(0, DeviceDisconnect{});
    awaits_ack_ = parser_->common().disconnect_ack;
  }
  close_device();
  enumeration_.reset();
  submitter_.reset();
}

void Exporter::connected() {
  if (state_ != State::idle) return;
  state_ = State::greeting;
  peer_.clear();
  awaits_ack_ = false;
  Parser::Handler& handler = *this;
  parser_ = std::make_unique<Parser>(Parser::Side::host, Capabilities::all(), handler);
  parser_->start();
  if (submitter_) enumerate();
}

void Exporter::receive(ByteView bytes) {
  if (state_ == State::idle) return;
  const auto received = parser_->receive(bytes);
  if (!received) fail(received.error());
  finish_failing();
}

void Exporter::disconnected() {
  state_ = State::idle;
  failure_.clear();
  close_device();
  if (submitter_) submitter_->device().reset();
}

void Exporter::drained() {
  if (congested()) return;
  for (auto& [endpoint, pump] : pumps_) pump->resume();
}

void Exporter::send(MessageId id, const Message& message) {
  if (state_ == State::open) parser_->send(id, message);
}

void Exporter::on_message(MessageId id, Message message) {
  if (state_ == State::idle || !failure_.empty()) return;
  std::visit([&]<typename Kind>(Kind&& each) { on(id, std::forward<Kind>(each)); }, std::move(message));
}

void Exporter::fail(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
}

void Exporter::finish_failing() {
  if (failure_.empty()) return;
  const std::string why = std::exchange(failure_, {});
  disconnected();
  host_.session_failed(why);
}

void Exporter::enumerate() {
  submitter_->device().reset();
  enumeration_->start();
}

void Exporter::on_facts(std::optional<DeviceFacts> facts) {
  if (!facts || facts->configurations.empty()) {
    fail("the device does not tell what it is");
    return finish_failing();
  }
  facts_ = std::move(facts);
  configuration_ = &facts_->configurations.front();
  introduce();
}

/// "the usbredir-host must first send usb_redir_ep_info followed by usb_redir_interface_info before sending the
/// usb_redir_device_connect_info".
void Exporter::introduce() {
  if (state_ != State::open || !facts_ || introduced_ || awaits_ack_) return;
  send_tables();
  send(0, device_connect(*facts_, submitter_->device().speed()));
  introduced_ = true;
}

void Exporter::send_tables() {
  endpoints_ = endpoint_info(configuration_, alternates_, submitter_->device().speed());
  send(0, endpoints_);
  send(0, interface_info(configuration_, alternates_));
}

/// Nothing is under way for the far end any more, and it knows of no device.
void Exporter::close_device() {
  pumps_.clear();
  asked_.clear();
  if (submitter_) submitter_->abandon_all();
  introduced_ = false;
  facts_.reset();
  configuration_ = nullptr;
  alternates_.clear();
  endpoints_ = {};
}

void Exporter::on(MessageId, const Hello& message) {
  peer_ = message.version;
  state_ = State::open;
  introduce();
}

void Exporter::on(MessageId, const FilterReject&) {
  if (introduced_) fail("the other side rejects the device: by its filter, or because no port there fits its speed");
}

void Exporter::on(MessageId, const DisconnectAck&) {
  awaits_ack_ = false;
  introduce();
}

}  // namespace periplex::remote::usbredir

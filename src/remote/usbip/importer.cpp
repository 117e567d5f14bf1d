// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/importer.hpp"

#include <fmt/format.h>
#include <utility>
#include <variant>

namespace periplex::remote::usbip {

Importer::Importer(SessionHost& host, ImportOptions options, Scheduler& scheduler)
    : host_(host), options_(std::move(options)), scheduler_(scheduler) {}

void Importer::connected() {
  host_.send(encode_import_request(options_.bus_id));
}

void Importer::receive(ByteView bytes) {
  if (ended_) return;
  inbox_.append(bytes);
  Taken taken = Taken::whole;
  while (taken == Taken::whole && !ended_) taken = device_ ? take_answer() : take_reply();
  if (!ended_ && device_ && device_->overrun()) {
    (void)fail(fmt::format("the server keeps {} requests unanswered", ImportedDevice::kMostRequests));
  }
}

void Importer::disconnected() {
  if (ended_) {
    if (device_) device_->leave();
    return;
  }
  (void)fail(device_ ? "the connection to the USB/IP server is lost"
                     : "the server has closed the connection without an answer: is a USB/IP server there?");
}

Importer::Taken Importer::take_reply() {
  if (inbox_.size() < OperationHeader::kSize) return Taken::needs_more;
  ByteReader in(inbox_.view());
  const OperationHeader header = read_operation_header(in);
  if (!header.is(Operation::reply_import)) return fail("the server does not speak USB/IP");
  if (!header.version_is_known()) {
    return fail(
        fmt::format("the server speaks another version of USB/IP ({:x}; this is {:x})", header.version, kVersion));
  }
  if (header.status != 0) return fail(refusal_text(header.status, options_.bus_id));
  if (in.remaining() < DeviceRecord::kSize) return Taken::needs_more;
  const DeviceRecord record = read_device_record(in);
  inbox_.consume(OperationHeader::kSize + DeviceRecord::kSize);
  import(record);
  return ended_ ? Taken::fatal : Taken::whole;
}

void Importer::import(const DeviceRecord& record) {
  const auto speed = speed_of(record.speed);
  if (!speed) {
    (void)fail(fmt::format("the server does not say how fast {} is (speed {})", options_.bus_id, record.speed));
    return;
  }
  device_.emplace(record, *speed, options_, [this](Bytes bytes) { host_.send(std::move(bytes)); }, scheduler_);
  host_.device_arrived(*device_);
}

Importer::Taken Importer::take_answer() {
  if (inbox_.size() < kHeaderSize) return Taken::needs_more;
  const auto message = parse_header(inbox_.view().first(kHeaderSize));
  if (message && std::holds_alternative<UnlinkReturn>(*message)) {
    inbox_.consume(kHeaderSize);
    device_->on_return(std::get<UnlinkReturn>(*message));
    return Taken::whole;
  }
  const SubmitReturn* const returned = message ? std::get_if<SubmitReturn>(&*message) : nullptr;
  if (returned == nullptr) return fail("the server has sent what is no USB/IP message");
  const auto payload = device_->payload_size(*returned);
  if (!payload) return fail(payload.error());
  if (inbox_.size() < kHeaderSize + *payload) return Taken::needs_more;
  device_->on_return(*returned, inbox_.view().subspan(kHeaderSize, *payload));
  inbox_.consume(kHeaderSize + *payload);
  return Taken::whole;
}

Importer::Taken Importer::fail(std::string why) {
  ended_ = true;
  if (device_) {
    host_.device_left(*device_);
    device_->leave();
  }
  host_.session_failed(std::move(why));
  return Taken::fatal;
}

}  // namespace periplex::remote::usbip

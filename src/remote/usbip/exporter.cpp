// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/exporter.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <variant>
#include <vector>

namespace periplex::remote::usbip {
namespace {

constexpr unsigned kHighestEndpoint = 15;

bool is_isochronous(const Submit& submit) {
  return submit.packets != kNotIsochronous && submit.packets != kNotIsochronousToo;
}

}  // namespace

Exporter::Exporter(std::span<Export> exports, ExporterHost& host, Scheduler& scheduler)
    : exports_(exports), host_(host), scheduler_(scheduler), clock_(scheduler, [this](std::uint32_t number) {
        const auto found = requests_.find(number);
        if (found == requests_.end() || !found->second.transfer) return;  // unlinked meanwhile
        submitted_.emplace(found->second.id, number);
        relay_->sent();
        imported_->device->submit(std::move(found->second.transfer));
      }) {
  relay_ = std::make_shared<usb::TransferRelay>(
      [this](usb::Transfer& transfer, usb::Completion completion) { on_complete(transfer, completion); });
}

Exporter::~Exporter() {
  relay_->orphan();
  if (imported_ == nullptr) return;
  imported_->device->reset();
  imported_->taken = false;
}

void Exporter::receive(ByteView bytes) {
  if (failed_) return;
  inbox_.append(bytes);
  Taken taken = Taken::whole;
  while (taken == Taken::whole) taken = imported_ == nullptr ? take_operation() : take_command();
}

Exporter::Taken Exporter::fail(std::string why) {
  failed_ = true;
  host_.exporter_failed(std::move(why));
  return Taken::fatal;
}

Exporter::Taken Exporter::take_operation() {
  if (inbox_.size() < OperationHeader::kSize) return Taken::needs_more;
  ByteReader in(inbox_.view());
  const OperationHeader header = read_operation_header(in);
  if (!header.version_is_known()) return fail("the client does not speak USB/IP 1.x");
  if (header.is(Operation::request_device_list)) {
    inbox_.consume(OperationHeader::kSize);
    list();
    return Taken::whole;
  }
  if (!header.is(Operation::request_import))
    return fail(fmt::format("the client asks for operation {:04x}", header.code));
  if (in.remaining() < DeviceRecord::kBusIdSize) return Taken::needs_more;
  const std::string bus_id = read_padded_text(in, DeviceRecord::kBusIdSize);
  inbox_.consume(OperationHeader::kSize + DeviceRecord::kBusIdSize);
  import(bus_id);
  return Taken::whole;
}

void Exporter::list() {
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_device_list)});
  out.be32(static_cast<std::uint32_t>(std::ranges::count(exports_, false, &Export::taken)));
  for (const Export& offer : exports_) {
    if (offer.taken) continue;  // as Linux's usbipd does: only what can be had
    encode(out, offer.record);
    for (const InterfaceRecord& interface : offer.interfaces) encode(out, interface);
  }
  host_.send(out.take());
}

void Exporter::import(std::string_view bus_id) {
  const auto found =
      std::ranges::find(exports_, bus_id, [](const Export& offer) { return std::string_view(offer.record.bus_id); });
  OperationStatus status = OperationStatus::ok;
  if (found == exports_.end()) {
    status = OperationStatus::no_such_device;
  } else if (found->taken) {
    status = OperationStatus::busy;
  }
  ByteWriter out;
  encode(out, OperationHeader{.code = static_cast<std::uint16_t>(Operation::reply_import),
                              .status = static_cast<std::uint32_t>(status)});
  if (status == OperationStatus::ok) {
    encode(out, found->record);
    imported_ = &*found;
    imported_->taken = true;
    reset_device();
  }
  host_.send(out.take());
}

Exporter::Taken Exporter::take_command() {
  if (inbox_.size() < kHeaderSize) return Taken::needs_more;
  const auto message = parse_header(inbox_.view().first(kHeaderSize));
  if (message && std::holds_alternative<Unlink>(*message)) {
    inbox_.consume(kHeaderSize);
    on_unlink(std::get<Unlink>(*message));
    return Taken::whole;
  }
  const Submit* const submit = message ? std::get_if<Submit>(&*message) : nullptr;
  if (submit == nullptr) return fail("the client has sent what is no USB/IP command");
  return take_submit(*submit);
}

Exporter::Taken Exporter::take_submit(const Submit& submit) {
  const std::uint32_t packets = is_isochronous(submit) ? submit.packets : 0;
  if (submit.endpoint > kHighestEndpoint) return fail(fmt::format("there is no endpoint {}", submit.endpoint));
  if (submit.length > kMostData) return fail(fmt::format("an URB of {} bytes is too large", submit.length));
  if (packets > kMostPackets) return fail(fmt::format("an URB of {} packets is too large", packets));
  const std::size_t data = submit.direction == usb::Direction::out ? submit.length : 0;
  const std::size_t payload = data + packets * PacketDescriptor::kSize;
  if (inbox_.size() < kHeaderSize + payload) return Taken::needs_more;
  if (requests_.contains(submit.sequence)) return fail(fmt::format("URB {} is there already", submit.sequence));
  if (requests_.size() >= kMostRequests || held_ + submit.length > kMostHeldData) {
    return fail("the client has more URBs unfinished than are kept for it");
  }
  const ByteView bytes = inbox_.view().subspan(kHeaderSize, payload);
  on_submit(submit, bytes.first(data), bytes.subspan(data));
  inbox_.consume(kHeaderSize + payload);
  return failed_ ? Taken::fatal : Taken::whole;
}

void Exporter::on_unlink(const Unlink& unlink) {
  const auto found = requests_.find(unlink.target);
  if (found == requests_.end()) {
    // "when USBIP_CMD_UNLINK is after USBIP_RET_SUBMIT status is 0"
    ByteWriter out;
    encode(out, UnlinkReturn{.sequence = unlink.sequence, .status = kOk});
    return host_.send(out.take());
  }
  Request& request = found->second;
  request.unlinked_by = unlink.sequence;
  if (!request.transfer) return imported_->device->cancel(request.id);
  const usb::TransferPtr transfer = std::move(request.transfer);  // its time had not come
  submitted_.emplace(request.id, unlink.target);
  on_complete(*transfer, {usb::Status::cancelled, 0});
}

void Exporter::reset_device() {
  imported_->device->reset();
  run_own(set_address_request());
  if (configuration_ == 0) return;
  run_own({.request_type = 0,
           .request = static_cast<std::uint8_t>(usb::StandardRequest::set_configuration),
           .value = configuration_});
}

/// A request of ours, whose answer nobody waits for.
void Exporter::run_own(const usb::SetupPacket& setup) {
  auto transfer = std::make_unique<usb::Transfer>(*relay_, usb::TransferId(++last_id_), usb::EndpointAddress(),
                                                  usb::Direction::out, usb::TransferData());
  transfer->setup = setup;
  relay_->sent();
  imported_->device->submit(std::move(transfer));
}

}  // namespace periplex::remote::usbip

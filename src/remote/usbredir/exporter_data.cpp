// SPDX-License-Identifier: Apache-2.0
// The data packets of a usb-guest, and their answers.
#include <limits>
#include <utility>

#include "remote/usbredir/exporter.hpp"

namespace periplex::remote::usbredir {
namespace {

using usb::Completion;
using usb::Direction;
using usb::Transfer;
using usb::TransferData;
using usb::TransferType;

/// What was moved, and the data of a guest-bound transfer.
Bytes moved_data(const Transfer& transfer, Completion completion) {
  return transfer.direction() == Direction::in ? transfer.data.copy(completion.actual) : Bytes();
}

TransferData content(usb::EndpointAddress endpoint, std::size_t length, Bytes data) {
  return endpoint.direction() == Direction::in ? TransferData::room(length) : TransferData::owned(std::move(data));
}

}  // namespace

bool Exporter::has_room(std::size_t bytes) const {
  return submitter_->held() < kMaxTransfers && submitter_->held_bytes() + bytes <= kMaxBytes;
}

/// "After cancellation the guest may re-use the id": QEMU's ids are addresses of descriptors. So the answer comes at
/// once, and the transfer's own end is nobody's business any more.
void Exporter::on(MessageId id, const CancelData&) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return;  // its answer is on its way
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  submitter_->abandon(asked.transfer);
  send(id, asked.answer);
}

void Exporter::remember(MessageId id, Message answer, usb::TransferId transfer) {
  asked_.insert_or_assign(id, Asked{std::move(answer), transfer});
}

bool Exporter::take_asked(MessageId id, usb::TransferId transfer) {
  const auto found = asked_.find(id);
  if (found == asked_.end() || found->second.transfer != transfer) return false;
  asked_.erase(found);
  return true;
}

void Exporter::on(MessageId id, ControlData&& message) {
  ControlData answer{.setup = message.setup, .result = Result::io_error};
  answer.setup.length = 0;
  if (!introduced_ || !has_room(message.setup.length)) return send(id, answer);
  const auto done = [this, id, answer](const Transfer& transfer, Completion completion) mutable {
    if (!take_asked(id, transfer.id())) return;
    answer.result = result_of(completion.status);
    answer.setup.length = static_cast<std::uint16_t>(completion.actual);
    answer.data = moved_data(transfer, completion);
    send(id, answer);
  };
  const usb::TransferId transfer = submitter_->control(message.setup, std::move(message.data), done);
  answer.result = Result::cancelled;
  remember(id, answer, transfer);
}

void Exporter::on(MessageId id, BulkData&& message) {
  BulkData answer{.endpoint = message.endpoint, .result = Result::invalid, .stream = message.stream};
  const bool fits = message.length <= kMaxBulkLength && message.stream <= std::numeric_limits<std::uint16_t>::max();
  if (!entry(message.endpoint).is(TransferType::bulk) || !fits) return send(id, answer);
  answer.result = Result::io_error;
  if (!introduced_ || !has_room(message.length)) return send(id, answer);
  const auto done = [this, id, answer](const Transfer& transfer, Completion completion) mutable {
    if (!take_asked(id, transfer.id())) return;
    answer.result = result_of(completion.status);
    answer.length = completion.actual;
    answer.data = moved_data(transfer, completion);
    send(id, answer);
  };
  const usb::TransferId transfer =
      submitter_->data(message.endpoint, content(message.endpoint, message.length, std::move(message.data)),
                       static_cast<std::uint16_t>(message.stream), done);
  answer.result = Result::cancelled;
  remember(id, answer, transfer);
}

void Exporter::on(MessageId id, InterruptData&& message) {
  InterruptData answer{.endpoint = message.endpoint, .result = Result::invalid};
  if (message.endpoint.direction() == Direction::in) return;  // the library lets none through
  if (!entry(message.endpoint).is(TransferType::interrupt)) return send(id, answer);
  answer.result = Result::io_error;
  if (!introduced_ || !has_room(message.length)) return send(id, answer);
  const auto done = [this, id, answer](const Transfer& transfer, Completion completion) mutable {
    if (!take_asked(id, transfer.id())) return;
    answer.result = result_of(completion.status);
    answer.length = static_cast<std::uint16_t>(completion.actual);
    send(id, answer);
  };
  const usb::TransferId transfer =
      submitter_->data(message.endpoint, content(message.endpoint, message.length, std::move(message.data)), 0, done);
  answer.result = Result::cancelled;
  remember(id, answer, transfer);
}

void Exporter::on(MessageId, IsochronousData&& message) {
  const auto pump = pumps_.find(message.endpoint);
  if (pump != pumps_.end()) pump->second->push(std::move(message));
}

}  // namespace periplex::remote::usbredir

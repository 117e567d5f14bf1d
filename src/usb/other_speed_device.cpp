// SPDX-License-Identifier: Apache-2.0
#include "usb/other_speed_device.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "usb/speed_translation.hpp"

namespace periplex::usb {
namespace {

/// Ids of our own requests; the controller's pass through, and are far below.
constexpr std::uint64_t kFirstOwnId = std::uint64_t{1} << 63;
constexpr std::uint16_t kWholeConfiguration = 0xffff;

constexpr std::uint8_t kFromDevice = 0x80;  // bmRequestType, USB 2.0 table 9-3
constexpr std::uint8_t kToDevice = 0x00;
constexpr std::uint8_t kToInterface = 0x01;
constexpr std::uint8_t kToEndpoint = 0x02;

bool asks_for(const Transfer& transfer, DescriptorType type) {
  return transfer.setup && transfer.setup->is(StandardRequest::get_descriptor, kFromDevice) &&
         transfer.setup->value >> 8 == static_cast<std::uint8_t>(type);
}

}  // namespace

OtherSpeedDevice::OtherSpeedDevice(Device& device, Speed speed, Scheduler& scheduler)
    : device_(device),
      speed_(speed),
      scheduler_(scheduler),
      relay_(std::make_shared<TransferRelay>(
          [this](Transfer& transfer, Completion completion) { on_answer(transfer, completion); })),
      last_id_(kFirstOwnId) {}

OtherSpeedDevice::~OtherSpeedDevice() {
  relay_->orphan();
  for (auto& [endpoint, inbound] : inbound_) {
    for (const Request& request : std::views::reverse(inbound.requests)) device_.cancel(request.id);
    for (Waiting& waiting : inbound.waiting) {
      Transfer::complete(std::move(waiting.transfer), {Status::disconnected, waiting.filled});
    }
  }
  for (auto& [id, guest] : descriptors_) {
    device_.cancel(id);
    Transfer::complete(std::move(guest), {Status::disconnected, 0});
  }
}

void OtherSpeedDevice::submit(TransferPtr transfer) {
  if (answer_here(*transfer)) return finish(std::move(transfer), {Status::stall, 0});
  if (asks_for(*transfer, DescriptorType::device) || asks_for(*transfer, DescriptorType::configuration)) {
    return submit_descriptor(std::move(transfer));
  }
  if (transfer->setup) begin_anew(*transfer->setup);
  const auto known = known_.find(transfer->endpoint());
  if (known == known_.end()) return device_.submit(std::move(transfer));
  submit_inbound(std::move(transfer), known->second.packet);
}

/// A device that seems to know no other speed has no descriptors of that.
bool OtherSpeedDevice::answer_here(const Transfer& transfer) const {
  return asks_for(transfer, DescriptorType::device_qualifier) ||
         asks_for(transfer, DescriptorType::other_speed_configuration) || asks_for(transfer, DescriptorType::bos);
}

void OtherSpeedDevice::submit_descriptor(TransferPtr transfer) {
  SetupPacket setup = *transfer->setup;
  // Only a whole configuration can be translated: its length changes.
  if (asks_for(*transfer, DescriptorType::configuration)) setup.length = kWholeConfiguration;
  const TransferId id(last_id_ + 1);
  descriptors_.emplace(id, std::move(transfer));
  (void)submit_own(EndpointAddress(), setup.length, setup);
}

void OtherSpeedDevice::submit_inbound(TransferPtr transfer, std::uint32_t packet) {
  const EndpointAddress endpoint = transfer->endpoint();
  const std::size_t size = transfer->data.size();
  Inbound& inbound = inbound_[endpoint];
  const bool quiet = inbound.waiting.empty() && inbound.requests.empty() && inbound.runs.empty();
  if (quiet && size != 0 && size % packet == 0) return device_.submit(std::move(transfer));
  inbound.waiting.push_back({std::move(transfer)});
  if (inbound.waiting.size() > inbound.requests.size() + inbound.runs.size()) ask(endpoint, inbound, size);
  deliver(inbound);
}

TransferId OtherSpeedDevice::submit_own(EndpointAddress endpoint, std::size_t room, std::optional<SetupPacket> setup) {
  const TransferId id(++last_id_);
  auto transfer = std::make_unique<Transfer>(*relay_, id, endpoint, Direction::in, TransferData::room(room));
  transfer->setup = setup;
  relay_->sent();
  device_.submit(std::move(transfer));
  return id;
}

/// Asks the device for `room` bytes, rounded up to whole packets of it.
void OtherSpeedDevice::ask(EndpointAddress endpoint, Inbound& inbound, std::size_t room) {
  const std::size_t packet = known_.at(endpoint).packet;
  const std::size_t packets = std::max<std::size_t>(1, (room + packet - 1) / packet);
  inbound.requests.push_back({TransferId(last_id_ + 1)});
  (void)submit_own(endpoint, packets * packet, std::nullopt);
}

void OtherSpeedDevice::on_answer(Transfer& answered, Completion completion) {
  if (const auto guest = descriptors_.find(answered.id()); guest != descriptors_.end()) {
    TransferPtr transfer = std::move(guest->second);
    descriptors_.erase(guest);
    return on_descriptor(std::move(transfer), answered.data, completion);
  }
  const auto inbound = inbound_.find(answered.endpoint());
  if (inbound == inbound_.end()) return;
  auto& requests = inbound->second.requests;
  const auto request = std::ranges::find(requests, answered.id(), &Request::id);
  if (request == requests.end()) return;
  if (request->stale) completion = {Status::cancelled, 0};
  requests.erase(request);
  on_inbound(answered.endpoint(), inbound->second, answered.data, completion);
}

void OtherSpeedDevice::on_descriptor(TransferPtr guest, const TransferData& data, Completion completion) {
  if (completion.status != Status::ok) return finish(std::move(guest), {completion.status, 0});
  Bytes descriptor = data.copy(completion.actual);
  if (asks_for(*guest, DescriptorType::configuration)) {
    learn(descriptor);
    descriptor = translate_configuration(descriptor, device_.speed(), speed_);
  } else {
    translate_device(descriptor, speed_);
  }
  const std::size_t fits = guest->data.write(0, descriptor);
  finish(std::move(guest), {Status::ok, static_cast<std::uint32_t>(fits)});
}

void OtherSpeedDevice::on_inbound(EndpointAddress endpoint, Inbound& inbound, const TransferData& data,
                                  Completion completion) {
  const bool ended_short = completion.status == Status::ok && completion.actual < data.size();
  if (completion.status != Status::cancelled || completion.actual != 0) {
    inbound.runs.push_back({data.copy(completion.actual), 0, completion.status, ended_short});
  }
  deliver(inbound);
  if (!inbound.waiting.empty() && inbound.requests.empty() && inbound.runs.empty()) {
    const Waiting& first = inbound.waiting.front();
    ask(endpoint, inbound, first.transfer->data.size() - first.filled);
  }
}

void OtherSpeedDevice::deliver(Inbound& inbound) {
  while (!inbound.waiting.empty() && !inbound.runs.empty()) {
    if (deliver_run(inbound)) inbound.waiting.pop_front();
  }
}

/// Gives the oldest run to the oldest transfer; whether that has ended.
bool OtherSpeedDevice::deliver_run(Inbound& inbound) {
  Waiting& guest = inbound.waiting.front();
  Run& run = inbound.runs.front();
  const std::size_t moved = guest.transfer->data.write(guest.filled, ByteView(run.bytes).subspan(run.taken));
  guest.filled += static_cast<std::uint32_t>(moved);
  run.taken += moved;
  const bool exhausted = run.taken == run.bytes.size();
  const bool full = guest.filled == guest.transfer->data.size();
  Status status = Status::ok;
  bool ends = full;
  if (exhausted) {
    if (run.status != Status::ok && run.status != Status::cancelled) status = run.status;
    ends = full || run.ended_short || status != Status::ok;
    inbound.runs.pop_front();
  }
  if (ends) finish(std::move(guest.transfer), {status, guest.filled});
  return ends;
}

void OtherSpeedDevice::cancel(TransferId id) {
  for (const auto& [own, guest] : descriptors_) {
    if (guest->id() == id) return device_.cancel(own);
  }
  for (auto& [endpoint, inbound] : inbound_) {
    const auto waiting =
        std::ranges::find(inbound.waiting, id, [](const Waiting& entry) { return entry.transfer->id(); });
    if (waiting == inbound.waiting.end()) continue;
    finish(std::move(waiting->transfer), {Status::cancelled, waiting->filled});
    inbound.waiting.erase(waiting);
    // What the device had sent already is carried over.
    const auto newest =
        std::ranges::find(inbound.requests.rbegin(), inbound.requests.rend(), false, &Request::cancelled);
    if (newest == inbound.requests.rend()) return;
    newest->cancelled = true;
    return device_.cancel(newest->id);
  }
  device_.cancel(id);
}

/// The completion comes from the loop, never from inside `submit` or `cancel`.
void OtherSpeedDevice::finish(TransferPtr transfer, Completion completion) {
  scheduler_.defer(
      [transfer = std::move(transfer), completion]() mutable { Transfer::complete(std::move(transfer), completion); });
}

void OtherSpeedDevice::reset() {
  for (auto& [endpoint, inbound] : inbound_) {
    inbound.runs.clear();
    inbound.requests.clear();  // their answers, from before the reset, are those of nobody
    for (Waiting& waiting : inbound.waiting) finish(std::move(waiting.transfer), {Status::cancelled, waiting.filled});
    inbound.waiting.clear();
  }
  device_.reset();
}

void OtherSpeedDevice::endpoint_opened(EndpointAddress endpoint) {
  if (const auto inbound = inbound_.find(endpoint); inbound != inbound_.end()) begin_anew(inbound->second);
  device_.endpoint_opened(endpoint);
}

/// After some requests the device has nothing more to send of what some of its endpoints had begun.
void OtherSpeedDevice::begin_anew(const SetupPacket& setup) {
  const bool all = setup.is(StandardRequest::set_configuration, kToDevice);
  const bool of_interface = setup.is(StandardRequest::set_interface, kToInterface);
  const bool of_endpoint = setup.is(StandardRequest::clear_feature, kToEndpoint);
  for (auto& [endpoint, inbound] : inbound_) {
    const bool named = (of_interface && known_[endpoint].interface == (setup.index & 0xff)) ||
                       (of_endpoint && endpoint.value == (setup.index & 0xff));
    if (all || named) begin_anew(inbound);
  }
}

void OtherSpeedDevice::begin_anew(Inbound& inbound) {
  inbound.runs.clear();
  for (Request& request : std::views::reverse(inbound.requests)) {
    request.stale = true;
    if (!std::exchange(request.cancelled, true)) device_.cancel(request.id);
  }
}

/// Remembers the packets of the device's own endpoints, which the guest sees with others.
void OtherSpeedDevice::learn(ByteView configuration) {
  const auto parsed = parse_configuration(configuration);
  if (!parsed) return;
  for (const ParsedInterface& interface : parsed->interfaces) {
    for (const ParsedEndpoint& endpoint : interface.endpoints) {
      const EndpointDescriptor& descriptor = endpoint.descriptor;
      const bool batches = descriptor.type() == TransferType::bulk || descriptor.type() == TransferType::interrupt;
      if (!batches || descriptor.address.direction() != Direction::in || packet_size(descriptor) == 0) continue;
      Known& known = known_[descriptor.address];
      known.packet = std::max(known.packet, packet_size(descriptor));
      known.interface = interface.descriptor.number;
    }
  }
}

}  // namespace periplex::usb

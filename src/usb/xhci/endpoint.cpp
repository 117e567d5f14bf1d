// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/endpoint.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/trace.hpp"
#include "usb/xhci/data_ring.hpp"
#include "usb/xhci/isoch_ring.hpp"

namespace periplex::usb::xhci {
namespace {

/// The edges of figure 4-5.
constexpr bool is_edge(EndpointState from, EndpointState to) {
  switch (from) {
    case EndpointState::disabled:
      return to == EndpointState::running;
    case EndpointState::running:
      return to == EndpointState::halted || to == EndpointState::stopped || to == EndpointState::error;
    case EndpointState::halted:
      return to == EndpointState::stopped;
    case EndpointState::stopped:
      return to == EndpointState::running;
    case EndpointState::error:
      return to == EndpointState::stopped;
  }
  return false;
}

}  // namespace

Endpoint::Endpoint(Services& services, SlotId slot, unsigned dci, const EndpointContext& context, DeviceContext output,
                   DeviceSource device)
    : services_(services), slot_(slot), dci_(dci), context_(context), output_(output), device_(std::move(device)) {
  if (context.max_primary_streams() > 0) {
    streams_.emplace(services_.memory(), context);
    rings_.resize(streams_->size());
  } else {
    rings_.push_back(make_ring(0, context.dequeue()));
  }
  enter(EndpointState::running);
}

std::unique_ptr<TransferRing> Endpoint::make_ring(std::uint16_t stream, RingPosition start) {
  const RingIdentity identity{.slot = slot_, .dci = dci_, .type = type(), .stream = stream};
  auto& host = static_cast<RingHost&>(*this);
  if (type() == TransferType::isochronous) {
    return std::make_unique<IsochRing>(host, identity, start, context_.interval());
  }
  return std::make_unique<DataRing>(host, identity, start);
}

void Endpoint::enter(EndpointState state) {
  PERIPLEX_CHECK(is_edge(state_, state));
  trace::line("usb/xhci", "slot {} endpoint {} state {} -> {}", slot_.value, dci_, static_cast<unsigned>(state_),
              static_cast<unsigned>(state));
  state_ = state;
  context_.set_state(state);
  publish();
}

void Endpoint::publish() {
  if (!output_.write_endpoint(dci_, context_)) services_.host_system_error("device context");
}

/// Where `ring` goes on, for the guest: in its stream context, or in the endpoint context that `enter` writes.
void Endpoint::publish_position(std::size_t stream, const TransferRing& ring) {
  if (!streams_) return context_.set_dequeue(ring.position());
  if (!streams_->write(static_cast<std::uint16_t>(stream), ring.position())) {
    services_.host_system_error("stream context");
  }
}

void Endpoint::publish_position(const TransferRing& ring) {
  const auto found = std::ranges::find(rings_, &ring, &std::unique_ptr<TransferRing>::get);
  publish_position(static_cast<std::size_t>(found - rings_.begin()), ring);
}

void Endpoint::publish_positions() {
  for (std::size_t stream = 0; stream < rings_.size(); ++stream) {
    if (rings_[stream]) publish_position(stream, *rings_[stream]);
  }
}

// --- doorbells

void Endpoint::ring_doorbell(std::uint16_t stream) {
  // "If the endpoint does not define Streams … and a non-'0' value is written to this field, the doorbell reference
  // shall be ignored" (§5.6).
  if (!streams_ && stream != 0) return;
  if (closing_ || !on_quiet_.empty() || (state_ != EndpointState::stopped && state_ != EndpointState::running)) return;
  const bool stopped = state_ == EndpointState::stopped;
  if (stopped) enter(EndpointState::running);
  if (!find_stream(stream)) return;
  // A device may go on with any stream as soon as the endpoint runs again (USB 3.2 §8.12.1.4).
  if (stopped) return advance();
  rings_[stream]->advance();
}

/// Reads the context of a stream that is new; false where it may not be used.
bool Endpoint::find_stream(std::uint16_t stream) {
  if (!streams_) return true;
  if (!streams_->contains(stream)) {
    stream_error(CompletionCode::invalid_stream_id_error);
    return false;
  }
  if (rings_[stream]) return true;
  const auto context = streams_->read(stream);
  if (!context) {
    services_.host_system_error("stream context");
    return false;
  }
  if (context->type() != StreamContextType::primary_ring) {
    stream_error(CompletionCode::invalid_stream_type_error);
    return false;
  }
  rings_[stream] = make_ring(stream, context->dequeue());
  return true;
}

/// §4.12.2: the endpoint halts, and the event has no TRB that it could name.
void Endpoint::stream_error(CompletionCode code) {
  ++counters_.errors;
  enter(EndpointState::halted);
  services_.post_event(0, transfer_event(0, 0, code, slot_, dci_, false), false);
  cancel_all();
}

void Endpoint::advance() {
  for (const auto& ring : rings_) {
    if (ring) ring->advance();
  }
}

void Endpoint::advance_later() {
  if (!std::exchange(advances_later_, true)) services_.advance_later(slot_, dci_);
}

void Endpoint::advance_again() {
  advances_later_ = false;
  advance();
}

bool Endpoint::may_fetch() {
  return state_ == EndpointState::running && !closing_ && on_quiet_.empty() && services_.running() &&
         services_.may_fetch();
}

// --- what rings meet

void Endpoint::report(const TransferDescriptor::Event& event) {
  services_.post_event(event.interrupter,
                       transfer_event(event.pointer, event.length, event.code, slot_, dci_, event.event_data),
                       event.block_interrupt);
}

void Endpoint::halt(const TransferRing& ring) {
  publish_position(ring);
  enter(EndpointState::halted);
}

void Endpoint::trb_error(const TransferRing& ring) {
  publish_position(ring);
  enter(EndpointState::error);
  const std::uint64_t pointer = ring.position().address.value;
  services_.post_event(0, transfer_event(pointer, 0, CompletionCode::trb_error, slot_, dci_, false), false);
  cancel_all();
}

void Endpoint::transfer_ended(TransferRing& ring) {
  if (on_quiet_.empty()) return ring.advance();
  if (!quiet()) return;
  come_to_rest();
  std::vector<Done> waiting = std::exchange(on_quiet_, {});
  for (Done& done : waiting) done();  // may end this endpoint's life
}

// --- commands

bool Endpoint::quiet() const {
  return std::ranges::all_of(rings_, [](const auto& ring) { return !ring || ring->quiet(); });
}

void Endpoint::cancel_all() {
  for (const auto& ring : rings_) {
    if (ring) ring->cancel_all();
  }
}

void Endpoint::come_to_rest() {
  for (const auto& ring : rings_) {
    if (ring) ring->come_to_rest();
  }
}

void Endpoint::quiesce(Done done) {
  if (quiet()) {
    come_to_rest();
    return done();
  }
  on_quiet_.push_back(std::move(done));
  cancel_all();
}

void Endpoint::stop(Done done) {
  quiesce([this, done = std::move(done)]() mutable {
    if (state_ == EndpointState::running) {
      publish_positions();
      enter(EndpointState::stopped);
      for (const auto& ring : rings_) {
        if (ring) ring->report_stopped();
      }
    }
    done();
  });
}

void Endpoint::reset_halted(bool preserve_transfer_state) {
  if (!preserve_transfer_state) {
    if (Device* device = device_()) device->endpoint_opened(endpoint_address(dci_));
  }
  // The stream that failed was written when it did; those that it took with it stand still only now.
  publish_positions();
  enter(EndpointState::stopped);
}

void Endpoint::set_dequeue(std::uint16_t stream, RingPosition position) {
  if (rings_[stream]) {
    rings_[stream]->set_position(position);
  } else {
    rings_[stream] = make_ring(stream, position);
  }
  publish_position(stream, *rings_[stream]);
  if (state_ == EndpointState::error) return enter(EndpointState::stopped);
  publish();
}

void Endpoint::set_max_packet_size(unsigned size) {
  context_.set_max_packet_size(size);
  publish();
}

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "usb/xhci/context.hpp"
#include "usb/xhci/stream_array.hpp"
#include "usb/xhci/transfer_ring.hpp"

namespace periplex::usb::xhci {

/// One endpoint of a slot: the state machine of figure 4-5 (xHCI 1.2 §4.8.3), and its transfer rings.
///
/// There is one ring, or one for each stream (§4.12), which is made when its doorbell is rung for the first time. Rings
/// turn TDs into transfers, those of an isochronous endpoint by the clock; what one of them meets changes the state of
/// the endpoint, and so of all of them.
class Endpoint final : private RingHost {
 public:
  using Done = std::move_only_function<void()>;
  /// Gives the device behind the slot's port, or null once it is unplugged.
  using DeviceSource = std::function<Device*()>;

  Endpoint(Services& services, SlotId slot, unsigned dci, const EndpointContext& context, DeviceContext output,
           DeviceSource device);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  [[nodiscard]] EndpointState state() const { return state_; }
  [[nodiscard]] EndpointAddress address() const { return endpoint_address(dci_); }
  [[nodiscard]] TransferType type() const { return transfer_type(context_.type()); }
  [[nodiscard]] const EndpointCounters& counters() const { return counters_; }
  [[nodiscard]] const std::optional<StreamArray>& streams() const { return streams_; }

  /// The doorbell was rung (§4.7): a stopped endpoint runs, and what is new on its rings is fetched. `stream` is the DB
  /// Stream ID.
  void ring_doorbell(std::uint16_t stream);
  /// Fetches again after something outside made that possible (room in the event ring, R/S set).
  void advance();
  /// The later turn of the loop that `advance` has asked for.
  void advance_again();

  /// Cancels what is in flight and calls `done` when the device holds nothing of this endpoint any more, at once where
  /// that is so already. The endpoint's state does not change; what was cancelled is still on its rings.
  void quiesce(Done done);

  /// A command that will end this endpoint's life has begun: it takes nothing off its rings any more, also while that
  /// command waits for other endpoints.
  void begin_close() { closing_ = true; }

  /// Asks the device to end all it holds of this endpoint. Whoever wants to know when that is done calls `quiesce`.
  void cancel_all() override;

  /// Stop Endpoint (§4.6.9), for a running endpoint: quiesce, a Stopped event for each TD that was under way, the
  /// dequeue pointers in the contexts.
  void stop(Done done);
  /// Reset Endpoint (§4.6.8), for a halted endpoint that is quiet.
  void reset_halted(bool preserve_transfer_state);
  /// Set TR Dequeue Pointer (§4.6.10), for a stopped endpoint or one in error that is quiet. `stream` is one of
  /// `streams()`, or 0 where there are none.
  void set_dequeue(std::uint16_t stream, RingPosition position);
  /// Evaluate Context's new Max Packet Size (§4.6.7).
  void set_max_packet_size(unsigned size);

 private:
  // RingHost
  [[nodiscard]] Services& services() override { return services_; }
  [[nodiscard]] Device* device() override { return device_(); }
  [[nodiscard]] bool may_fetch() override;
  [[nodiscard]] bool quiescing() const override { return !on_quiet_.empty(); }
  [[nodiscard]] bool broken_off() const override { return state_ != EndpointState::running; }
  [[nodiscard]] EndpointCounters& counters() override { return counters_; }
  void report(const TransferDescriptor::Event& event) override;
  void advance_later() override;
  void halt(const TransferRing& ring) override;
  void trb_error(const TransferRing& ring) override;
  void transfer_ended(TransferRing& ring) override;

  [[nodiscard]] std::unique_ptr<TransferRing> make_ring(std::uint16_t stream, RingPosition start);
  [[nodiscard]] bool find_stream(std::uint16_t stream);
  void stream_error(CompletionCode code);
  [[nodiscard]] bool quiet() const;
  void come_to_rest();
  void enter(EndpointState state);
  void publish();
  void publish_positions();
  void publish_position(std::size_t stream, const TransferRing& ring);
  void publish_position(const TransferRing& ring);

  Services& services_;
  SlotId slot_;
  unsigned dci_;
  EndpointContext context_;
  DeviceContext output_;
  DeviceSource device_;
  EndpointState state_ = EndpointState::disabled;
  bool closing_ = false;
  bool advances_later_ = false;  // asked for a later turn already
  std::vector<Done> on_quiet_;   // not empty while quiescing
  EndpointCounters counters_;
  std::optional<StreamArray> streams_;
  std::vector<std::unique_ptr<TransferRing>> rings_;  // by Stream ID; without streams there is one, at 0
};

}  // namespace periplex::usb::xhci

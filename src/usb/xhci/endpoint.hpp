// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "usb/device.hpp"
#include "usb/endpoint_counters.hpp"
#include "usb/in_flight.hpp"
#include "usb/xhci/context.hpp"
#include "usb/xhci/services.hpp"
#include "usb/xhci/transfer_descriptor.hpp"

namespace periplex::usb::xhci {

/// One endpoint of a slot: the state machine of figure 4-5 (xHCI 1.2 §4.8.3), its transfer ring, and its TDs in flight.
///
/// Every complete TD that the ring shows becomes one transfer to the device, several at a time (bulk and interrupt);
/// they end in order. Control transfers go one by one. Isochronous endpoints and streams are refused when configured.
class Endpoint final : private TransferReceiver {
 public:
  using Done = std::move_only_function<void()>;
  /// Gives the device behind the slot's port, or null once it is unplugged.
  using DeviceSource = std::function<Device*()>;

  /// TDs submitted ahead of their completion.
  static constexpr std::size_t kMaxInFlight = 32;
  /// TRBs fetched in one go; a ring that loops without ever ending must leave the loop to others in between.
  static constexpr std::size_t kMaxFetched = 512;

  Endpoint(Services& services, SlotId slot, unsigned dci, const EndpointContext& context, DeviceContext output,
           DeviceSource device);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  [[nodiscard]] EndpointState state() const { return state_; }
  [[nodiscard]] EndpointAddress address() const { return endpoint_address(dci_); }
  [[nodiscard]] TransferType type() const { return transfer_type(context_.type()); }
  [[nodiscard]] const EndpointCounters& counters() const { return counters_; }

  /// The doorbell was rung (§4.7): a stopped endpoint runs, and what is new on the ring is fetched.
  void ring_doorbell();
  /// Fetches again after something outside made that possible (room in the event ring, R/S set).
  void advance();
  /// The later turn of the loop that `advance` has asked for.
  void advance_again();

  /// Cancels what is in flight and calls `done` when the device holds nothing of this endpoint any more, at once where
  /// that is so already. The endpoint's state does not change; what was cancelled is still on the ring.
  void quiesce(Done done);

  /// Asks the device to end all it holds of this endpoint. Whoever wants to know when that is done calls `quiesce`.
  void cancel_all();

  /// Stop Endpoint (§4.6.9), for a running endpoint: quiesce, a Stopped event for the TD that was under way, the
  /// dequeue pointer in the context.
  void stop(Done done);
  /// Reset Endpoint (§4.6.8), for a halted endpoint that is quiet.
  void reset_halted(bool preserve_transfer_state);
  /// Set TR Dequeue Pointer (§4.6.10), for a stopped endpoint or one in error.
  void set_dequeue(RingPosition position);
  /// Evaluate Context's new Max Packet Size (§4.6.7).
  void set_max_packet_size(unsigned size);

 private:
  struct Entry {
    TransferDescriptor td;
    TransferId id;
    std::uint64_t skipped;                      // bytes that were moved before an earlier stop
    std::optional<Completion> completion = {};  // came, but an earlier TD has not ended yet
    bool abandoned = false;                     // a TD before it failed or was cut off: its end means nothing
  };

  void on_transfer_complete(const Transfer& transfer, Completion completion) override;
  [[nodiscard]] bool may_launch() const;
  [[nodiscard]] TransferDescriptor::Assembled assemble() const;
  bool launch(TransferDescriptor td);
  void retire(Entry entry);
  void finish(const Entry& entry, std::uint64_t actual);
  void interrupt(const Entry& entry, std::uint64_t actual);
  void fail(const TransferDescriptor& td, CompletionCode code, std::uint64_t actual);
  void malformed(const TransferDescriptor::Malformed& what);
  void abandon_all();
  void enter(EndpointState state);
  [[nodiscard]] TransferDescriptor::Report reporter();
  [[nodiscard]] std::size_t max_in_flight() const { return type() == TransferType::control ? 1 : kMaxInFlight; }

  Services& services_;
  SlotId slot_;
  unsigned dci_;
  EndpointContext context_;
  DeviceContext output_;
  DeviceSource device_;
  EndpointState state_ = EndpointState::disabled;
  RingPosition fetch_;              // where the next TD will be looked for
  bool advances_later_ = false;     // asked for a later turn already
  std::uint64_t moved_before_ = 0;  // bytes of the TD at `fetch_` that were moved before it was stopped
  std::deque<Entry> in_flight_;
  std::size_t trbs_in_flight_ = 0;
  std::vector<Done> on_quiet_;                    // not empty while quiescing
  std::optional<TransferDescriptor> stopped_td_;  // the TD that a quiesce cut off, for the Stopped event
  EndpointCounters counters_;
};

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "usb/device.hpp"
#include "usb/endpoint_counters.hpp"
#include "usb/xhci/services.hpp"
#include "usb/xhci/transfer_descriptor.hpp"

namespace periplex::usb::xhci {

class TransferRing;

/// Which ring it is: of which endpoint, and of which of its streams (0 where it has none).
struct RingIdentity {
  SlotId slot;
  unsigned dci = 0;
  TransferType type = TransferType::control;
  std::uint16_t stream = 0;
};

/// What a transfer ring may ask of its endpoint, whose state machine decides over all rings of the endpoint at once.
class RingHost {
 public:
  [[nodiscard]] virtual Services& services() = 0;
  /// The device behind the slot's port; null once it is unplugged.
  [[nodiscard]] virtual Device* device() = 0;
  /// The endpoint runs, is not being quiesced, and the controller may fetch.
  [[nodiscard]] virtual bool may_fetch() = 0;
  /// Somebody waits for the device to let go of all it holds: what was cancelled is no error.
  [[nodiscard]] virtual bool quiescing() const = 0;
  /// The endpoint runs no more, and it was not `quiesce` alone that stopped it.
  [[nodiscard]] virtual bool broken_off() const = 0;
  [[nodiscard]] virtual EndpointCounters& counters() = 0;

  virtual void report(const TransferDescriptor::Event& event) = 0;
  /// Calls `advance` in a later turn of the loop.
  virtual void advance_later() = 0;
  /// A TD of `ring` failed where its `position` is: the endpoint halts (xHCI 1.2 §4.10.2). The guest can see that in
  /// the contexts when this returns; whoever calls it reports the failure and then calls `cancel_all`.
  virtual void halt(const TransferRing& ring) = 0;
  /// What is at the `position` of `ring` breaks the rules of §4.11: TRB Error.
  virtual void trb_error(const TransferRing& ring) = 0;
  /// Asks the device to end all it holds of the endpoint.
  virtual void cancel_all() = 0;
  /// A transfer of `ring` has come back. The last thing a ring does then: the endpoint may be gone afterwards.
  virtual void transfer_ended(TransferRing& ring) = 0;

 protected:
  ~RingHost() = default;
};

/// A transfer ring (§4.9.2) and its TDs in flight. An endpoint has one, or one for each of its streams.
class TransferRing {
 public:
  /// TRBs fetched in one go; a ring that loops without ever ending must leave the loop to others in between.
  static constexpr std::size_t kMaxFetched = 512;

  virtual ~TransferRing() = default;

  /// Fetches what is new on the ring, as far as its host lets it.
  virtual void advance() = 0;
  /// Asks the device to end all it holds of this ring.
  virtual void cancel_all() = 0;
  /// The device holds nothing of this ring.
  [[nodiscard]] virtual bool quiet() const = 0;
  /// The endpoint is quiesced. What waited for its time only is the guest's now; what was cut off is on the ring again.
  virtual void come_to_rest() {}

  /// The TR Dequeue Pointer as contexts show it: the TRB where the ring goes on.
  [[nodiscard]] virtual RingPosition position() const = 0;
  /// Gives the Stopped event of Stop Endpoint (§4.6.9), if a TD was cut off.
  virtual void report_stopped() = 0;
  /// Set TR Dequeue Pointer (§4.6.10); the ring must be quiet.
  virtual void set_position(RingPosition position) = 0;

 protected:
  TransferRing() = default;
  TransferRing(const TransferRing&) = delete;
  TransferRing& operator=(const TransferRing&) = delete;
};

[[nodiscard]] constexpr Direction ring_direction(unsigned dci) {
  return dci % 2 == 1 ? Direction::in : Direction::out;
}

}  // namespace periplex::usb::xhci

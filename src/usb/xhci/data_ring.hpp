// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "usb/in_flight.hpp"
#include "usb/xhci/transfer_ring.hpp"

namespace periplex::usb::xhci {

/// The transfer ring of a control, bulk or interrupt endpoint, or of one stream.
///
/// Every complete TD that it shows becomes one transfer to the device, several at a time (bulk and interrupt); they end
/// in order. Control transfers go one by one. What a quiesce cuts off stays on the ring, and goes on later exactly
/// where it was.
class DataRing final : public TransferRing, private TransferReceiver {
 public:
  /// TDs submitted ahead of their completion.
  static constexpr std::size_t kMaxInFlight = 32;

  DataRing(RingHost& host, const RingIdentity& identity, RingPosition start)
      : host_(host), identity_(identity), fetch_(start) {}
  ~DataRing() override;

  void advance() override;
  void cancel_all() override;
  [[nodiscard]] bool quiet() const override { return in_flight_.empty(); }
  [[nodiscard]] RingPosition position() const override;
  void report_stopped() override;
  void set_position(RingPosition position) override;

 private:
  struct Entry {
    TransferDescriptor td;
    TransferId id;
    std::uint64_t skipped;                      // bytes that were moved before an earlier stop
    std::optional<Completion> completion = {};  // came, but an earlier TD has not ended yet
    bool abandoned = false;                     // a TD before it failed or was cut off: its end means nothing
    bool cancelled = false;                     // the device was asked to end it
  };

  void on_transfer_complete(Transfer& transfer, Completion completion) override;
  [[nodiscard]] bool may_launch() const;
  [[nodiscard]] TransferDescriptor::Assembled assemble() const;
  bool launch(TransferDescriptor td);
  void submit(Device& device, TransferDescriptor td, TransferData data, std::uint64_t skipped);
  void retire(Entry entry);
  void finish(const Entry& entry, std::uint64_t actual);
  void interrupt(const Entry& entry, std::uint64_t actual);
  void fail(const TransferDescriptor& td, CompletionCode code, std::uint64_t actual);
  void malformed(const TransferDescriptor::Malformed& what);
  void abandon_all();
  [[nodiscard]] TransferDescriptor::Report reporter() const;
  [[nodiscard]] bool is_control() const { return identity_.type == TransferType::control; }

  RingHost& host_;
  RingIdentity identity_;
  RingPosition fetch_;                             // where the next TD will be looked for
  std::optional<TransferDescriptor> interrupted_;  // the TD there, if it was cut off …
  std::uint64_t moved_before_ = 0;                 // … after so many bytes
  std::deque<Entry> in_flight_;
  std::size_t trbs_in_flight_ = 0;
};

}  // namespace periplex::usb::xhci

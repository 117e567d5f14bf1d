// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <vector>

#include "usb/data_set.hpp"
#include "usb/setup_packet.hpp"
#include "usb/transfer.hpp"
#include "usb/xhci/ring.hpp"

namespace periplex::usb::xhci {

/// A Transfer Descriptor (xHCI 1.2 §3.2.9, §4.11.2): the chained TRBs of one data set. For a control endpoint it holds
/// the Setup, Data and Status Stage TDs together, because the device side takes them as one request.
class TransferDescriptor {
 public:
  /// More TRBs than any driver chains (32 MiB in pages); it bounds what one doorbell can make us read.
  static constexpr std::size_t kMaxTrbs = 8192;

  /// What is wrong with the TRBs at a place: a fault of memory, or TRBs that break the rules of §4.11 (TRB Error).
  struct Malformed {
    std::optional<RingError> ring;
    RingPosition at;
  };
  using Assembled = std::expected<std::optional<TransferDescriptor>, Malformed>;

  /// Reads the next TD of a bulk or interrupt ring; nothing while it is not complete.
  [[nodiscard]] static Assembled assemble_normal(const guest::Memory& memory, RingPosition start, Direction direction);
  /// Reads the next TD of an isochronous ring; nothing while it is not complete.
  [[nodiscard]] static Assembled assemble_isoch(const guest::Memory& memory, RingPosition start, Direction direction);
  /// Reads the next Setup, Data and Status Stage of a control ring; nothing until the Status Stage is there.
  [[nodiscard]] static Assembled assemble_control(const guest::Memory& memory, RingPosition start);

  [[nodiscard]] RingPosition start() const { return start_; }  ///< where it was looked for
  [[nodiscard]] RingPosition first() const;                    ///< its first TRB: behind a Link TRB at `start`
  [[nodiscard]] RingPosition next() const { return next_; }    ///< behind its last TRB
  [[nodiscard]] const DataSet& data() const { return data_; }
  [[nodiscard]] const std::optional<SetupPacket>& setup() const { return setup_; }
  [[nodiscard]] Direction direction() const { return direction_; }
  [[nodiscard]] std::size_t trbs() const { return trbs_.size(); }
  /// A No Op TRB: nothing to transfer, an event where it asks for one (§4.11.7).
  [[nodiscard]] bool is_no_op() const { return trbs_.front().type() == TrbType::no_op; }

  /// The frame that an Isoch TD asks for; nothing where any will do (SIA, §6.4.1.3).
  [[nodiscard]] std::optional<unsigned> frame_id() const;
  /// Its interrupter target: its last TRB's.
  [[nodiscard]] unsigned interrupter() const;
  [[nodiscard]] bool has_immediate_data() const { return immediate_; }
  /// Adds its data to `all`, behind what that holds already. It must have no immediate data.
  void append_data(DataSet& all) const;

  /// One Transfer Event to post.
  struct Event {
    std::uint64_t pointer;  ///< TRB address, or an Event Data TRB's parameter
    std::uint32_t length;
    CompletionCode code;
    bool event_data;
    unsigned interrupter;
    bool block_interrupt;
  };
  using Report = std::function<void(const Event&)>;

  /// Reports a TD that was carried out with `actual` bytes: events for IOC, ISP and Event Data TRBs (§4.10.1,
  /// §4.11.5.2).
  void report_done(std::uint64_t actual, const Report& report) const;
  /// The TRB at which a TD ended that failed or was stopped after `actual` bytes (§4.10.2).
  [[nodiscard]] RingPosition failed_at(std::uint64_t actual) const;
  /// Reports with `code` that it ended there, and how many bytes of that TRB are left (§4.6.9 for `stopped`).
  void report_failed(CompletionCode code, std::uint64_t actual, const Report& report) const;
  /// Reports an Isoch TD whose interval had passed before anything of it was moved, at its last TRB (§4.10.3.2):
  /// drivers take it for the end of what was missed.
  void report_missed(const Report& report) const;

 private:
  explicit TransferDescriptor(RingPosition start, Direction direction)
      : start_(start), next_(start), direction_(direction) {}

  [[nodiscard]] static Assembled assemble_chain(const guest::Memory& memory, RingPosition start, Direction direction,
                                                TrbType first);
  [[nodiscard]] static bool carries_data(const Trb& trb);
  [[nodiscard]] bool add_data(const Trb& trb);
  [[nodiscard]] std::size_t failed_trb(std::uint64_t actual, std::size_t& piece) const;

  RingPosition start_;
  RingPosition next_;
  Direction direction_;
  std::optional<SetupPacket> setup_;
  std::vector<Trb> trbs_;
  DataSet data_;
  bool immediate_ = false;

  class ControlAssembly;
};

}  // namespace periplex::usb::xhci

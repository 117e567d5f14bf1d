// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "usb/batching/queue_view.hpp"
#include "usb/batching/verification.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::batching {

/// A data set under way: *one* request to the device side, and an outrecord for each descriptor that it was gathered
/// from.
class Batch {
 public:
  /// Data sets of one request; beyond, drivers get nothing from a larger one.
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;
  static constexpr std::size_t kMaxPackets = 4096;

  /// Walks `queue` ahead of the guest, from `first` on, to the end of its data set: the first descriptor that
  /// interrupts on completion or is not a multiple of a full packet, the last that is queued, or the limits above.
  [[nodiscard]] static Batch walk(QueueView& queue, const Descriptor& first);

  /// The data for the request: a copy of device-bound data, or room.
  [[nodiscard]] std::expected<TransferData, guest::Fault> gather(const guest::Memory& memory);

  /// Whether `head`, at which the queue stands now, is still the first packet that has not been given back. The data is
  /// compared where `verification` asks for it, once the device has it, and where the queue was away meanwhile.
  [[nodiscard]] bool matches(const Descriptor& head, const Verification& verification,
                             const guest::Memory& memory) const;

  /// What the first packet that has not been given back gets. Nothing: it is not covered by what came back, because the
  /// request was cancelled.
  [[nodiscard]] std::optional<Outcome> outcome() const;
  /// Brings that packet's portion to the guest, to where `head` says now.
  [[nodiscard]] std::expected<void, guest::Fault> scatter(guest::Memory& memory, const Descriptor& head,
                                                          const Outcome& outcome) const;
  /// The packet has been given back.
  void retire(const Outcome& outcome);

  [[nodiscard]] Direction direction() const { return direction_; }
  [[nodiscard]] std::uint64_t size() const { return data_set_.size(); }
  [[nodiscard]] bool finished() const { return retired_ == outrecords_.size(); }
  [[nodiscard]] guest::GuestAddress last() const { return outrecords_.back().address; }

  /// Whether the queue still shows all its packets that have not been given back, from `next` on, which then is what
  /// stands behind them.
  [[nodiscard]] bool stands(QueueView& queue, std::optional<Descriptor>& next, const Verification& verification,
                            const guest::Memory& memory) const;

  /// Guest-bound bytes that have come for it already; `gather` makes room for the rest.
  void begin_with(Bytes bytes) { first_bytes_ = std::move(bytes); }
  /// The answer.
  void complete(Completion completion, TransferData data);
  [[nodiscard]] const std::optional<Completion>& completion() const { return completion_; }
  /// Guest-bound bytes that came and that no packet has got.
  [[nodiscard]] Bytes left_over() const;
  /// Whether the device ended the data set before it was full.
  [[nodiscard]] bool ended_short() const;

  TransferId id;
  bool cancelled = false;  ///< the device side has been asked to end it
  bool was_away = false;   ///< the guest had taken the queue away: its packets may be others that look the same
  bool vanished = false;   ///< the queue shows it no more, or something that has to come before it
  bool forgotten = false;  ///< the device has begun anew: whatever comes of it concerns nobody

 private:
  struct Outrecord {
    guest::GuestAddress address;
    std::array<std::uint32_t, Descriptor::kMaxWords> words;
    std::uint32_t length;
    std::uint64_t offset;  // of its first byte within the data set
  };

  explicit Batch(const Descriptor& first) : direction_(batching::direction(first.pid)), pid_(first.pid) {}
  void add(const Descriptor& descriptor);
  [[nodiscard]] bool matches(std::size_t index, const Descriptor& descriptor, const Verification& verification,
                             const guest::Memory& memory) const;

  Direction direction_;
  Pid pid_;
  DataSet data_set_;
  std::vector<Outrecord> outrecords_;
  std::size_t retired_ = 0;
  std::uint64_t given_ = 0;  // bytes that packets have got
  std::optional<Completion> completion_;
  std::shared_ptr<const Bytes> sent_;  // device-bound data
  Bytes first_bytes_;                  // guest-bound data that had come before it was asked for
  TransferData data_;                  // that came back with the answer
};

}  // namespace periplex::usb::batching

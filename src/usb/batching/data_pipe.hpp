// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "usb/batching/batch.hpp"
#include "usb/batching/pipe.hpp"

namespace periplex::usb::batching {

/// A bulk or interrupt endpoint: transfer batching (rows A1 to A9).
///
/// The first packet of a data set stays pending while one request for all of it is out; once that is answered every
/// packet that is as it was is given back at once, with its portion. Packets that have changed meanwhile are not given
/// back: what is not done of the request is cancelled, and what the queue shows now becomes a new one. Several data
/// sets may be in flight.
class DataPipe final : public Pipe {
 public:
  static constexpr std::size_t kMaxInFlight = 16;
  static constexpr std::uint64_t kMaxBytesInFlight = 4 * Batch::kMaxBytes;

  /// `type` is bulk or interrupt; it is for counting only.
  DataPipe(Surroundings& surroundings, Device& device, EndpointAddress endpoint, TransferType type);
  ~DataPipe() override;

  Activity visit(QueueView& queue) override;
  void withdraw() override;
  void note_absence() override { was_away_ = true; }
  void halt_cleared() override;
  void interface_changed() override;
  void abandon() override;
  [[nodiscard]] bool in_flight() const override;
  [[nodiscard]] TransferType type() const override { return type_; }

 private:
  /// Guest-bound data that came for packets the guest had taken away by then. The device will not send it again.
  struct CarryOver {
    Bytes bytes;
    bool ended_short = false;
  };

  void on_transfer_complete(Transfer& transfer, Completion completion) override;
  void look_for_all(QueueView& queue);
  bool give_back(QueueView& queue);
  /// What became of the oldest data set.
  enum class Front : std::uint8_t {
    waits,   ///< for the device side, or for the guest to set the queue going again
    passed,  ///< it is done or dropped, and the queue may show more of the next
  };
  Front give_back_front(QueueView& queue);
  Front drop_changed(bool withdrawn);
  bool give_packet(QueueView& queue, const Descriptor& head, const Outcome& outcome);
  bool hand_over(QueueView& queue);
  [[nodiscard]] std::optional<Descriptor> next_new(QueueView& queue) const;
  bool submit(Batch batch);
  bool submit_with_carry_over(Batch batch);
  void cancel_all();
  void cancel(Batch& batch);
  void drop_front();
  [[nodiscard]] bool resolving() const;

  Surroundings& surroundings_;
  Device& device_;
  EndpointAddress endpoint_;
  TransferType type_;
  std::deque<Batch> batches_;
  std::deque<CarryOver> carry_over_;
  bool was_away_ = false;    // the schedule did not lead here for a moment
  bool resubmits_ = false;   // packets of a dropped data set are still queued, changed
  std::uint64_t given_ = 0;  // packets given back, ever
};

}  // namespace periplex::usb::batching

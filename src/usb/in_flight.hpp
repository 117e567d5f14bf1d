// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "usb/device.hpp"

namespace periplex::usb {

/// Who waits for a transfer inside a controller: an endpoint, or a command.
class TransferReceiver {
 public:
  /// The transfer ends with this call; its data may be moved out.
  virtual void on_transfer_complete(Transfer& transfer, Completion completion) = 0;

 protected:
  ~TransferReceiver() = default;
};

/// The transfers that devices hold, by id.
///
/// It outlives everything in the controller that submits, so that a completion for one that is gone is recognised and
/// dropped.
class InFlight final : public TransferOwner {
 public:
  /// Makes an id that belongs to `receiver`, for a transfer about to be submitted.
  [[nodiscard]] TransferId enter(TransferReceiver& receiver) {
    const TransferId id(++last_id_);
    receivers_.emplace(id, &receiver);
    return id;
  }
  /// `receiver` takes no more completions of `id`.
  void forget(TransferId id) { receivers_.erase(id); }
  [[nodiscard]] std::size_t size() const { return receivers_.size(); }

  void on_complete(TransferPtr transfer, Completion completion) override {
    const auto found = receivers_.find(transfer->id());
    if (found == receivers_.end()) return;  // who submitted it is gone
    TransferReceiver& receiver = *found->second;
    receivers_.erase(found);
    receiver.on_transfer_complete(*transfer, completion);
  }

 private:
  std::unordered_map<TransferId, TransferReceiver*> receivers_;
  std::uint64_t last_id_ = 0;
};

}  // namespace periplex::usb

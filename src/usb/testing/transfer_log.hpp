// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "usb/device.hpp"
#include "usb/transfer.hpp"

namespace periplex::usb::testing {

/// A controller's place in tests: submits transfers to a device and keeps what comes back, in order.
class TransferLog final : public TransferOwner {
 public:
  struct Entry {
    TransferId id;
    Status status;
    Bytes data;  ///< guest-bound: what was moved
    std::uint32_t actual;
  };

  explicit TransferLog(Device& device) : device_(device) {}

  TransferId in(EndpointAddress endpoint, std::size_t room) {
    return submit(endpoint, Direction::in, TransferData::room(room), std::nullopt);
  }
  TransferId out(EndpointAddress endpoint, Bytes data) {
    return submit(endpoint, Direction::out, TransferData::owned(std::move(data)), std::nullopt);
  }
  /// A control transfer with room, or with `data`, as the Setup stage says.
  TransferId control(const SetupPacket& setup, Bytes data = {}) {
    const bool guest_bound = setup.direction() == Direction::in;
    return submit(EndpointAddress(), setup.direction(),
                  guest_bound ? TransferData::room(setup.length) : TransferData::owned(std::move(data)), setup);
  }
  TransferId submit(EndpointAddress endpoint, Direction direction, TransferData data,
                    std::optional<SetupPacket> setup) {
    const TransferId id(next_++);
    auto transfer = std::make_unique<Transfer>(*this, id, endpoint, direction, std::move(data));
    transfer->setup = setup;
    ++outstanding_[id];
    inside_submit_ = true;
    device_.submit(std::move(transfer));
    inside_submit_ = false;
    return id;
  }

  void on_complete(TransferPtr transfer, Completion completion) override {
    if (inside_submit_) completed_inside_submit = true;
    if (--outstanding_[transfer->id()] == 0) outstanding_.erase(transfer->id());
    const bool guest_bound = transfer->direction() == Direction::in;
    entries.push_back({transfer->id(), completion.status,
                       guest_bound ? transfer->data.copy(completion.actual) : Bytes{}, completion.actual});
  }

  [[nodiscard]] const Entry* find(TransferId id) const {
    for (const Entry& entry : entries) {
      if (entry.id == id) return &entry;
    }
    return nullptr;
  }
  /// Transfers that have not come back. One that came back twice is among them for ever.
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }

  std::vector<Entry> entries;
  bool completed_inside_submit = false;

 private:
  Device& device_;
  std::map<TransferId, int> outstanding_;
  std::uint64_t next_ = 1;
  bool inside_submit_ = false;
};

}  // namespace periplex::usb::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "base/testing/virtual_time.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::usb::device::testing {

/// How a transfer came back.
struct Answer {
  Status status = Status::error;
  Bytes data;  ///< guest-bound: what arrived
  std::uint32_t actual = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// A host with one disk, whatever transport it uses: submits transfers and keeps what comes back.
class DiskHost : public TransferOwner {
 public:
  DiskHost(const StorageOptions& options, Speed speed, std::size_t blocks) {
    auto fake = std::make_unique<FakeBlock>(blocks);
    medium = fake.get();
    device = std::make_unique<Storage>(options, speed, std::move(fake), time);
  }
  virtual ~DiskHost() { device.reset(); }  // what is pending comes back while there is still somebody to take it

  TransferId submit(EndpointAddress endpoint, TransferData content, std::uint16_t stream = 0) {
    const TransferId id(next_id_++);
    auto transfer = std::make_unique<Transfer>(*this, id, endpoint, endpoint.direction(), std::move(content));
    transfer->stream = stream;
    device->submit(std::move(transfer));
    return id;
  }
  /// What has come back for `id`; empty while it is pending.
  std::optional<Answer> answer(TransferId id) {
    time.run_until_idle();
    const auto found = answers_.find(id);
    if (found == answers_.end()) return std::nullopt;
    return found->second;
  }
  Answer get(TransferId id) { return answer(id).value_or(Answer{}); }
  [[nodiscard]] std::size_t unanswered() {
    time.run_until_idle();
    return static_cast<std::size_t>(next_id_) - answers_.size();
  }
  [[nodiscard]] std::size_t submitted() const { return next_id_; }

  Answer control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                 std::uint16_t length) {
    const bool guest_bound = (type & 0x80) != 0;
    auto transfer = std::make_unique<Transfer>(*this, TransferId(next_id_++), EndpointAddress(0),
                                               guest_bound ? Direction::in : Direction::out,
                                               guest_bound ? TransferData::room(length) : TransferData{});
    const TransferId id = transfer->id();
    transfer->setup = SetupPacket{type, request, value, index, length};
    device->submit(std::move(transfer));
    return get(id);
  }
  Answer clear_halt(std::uint8_t endpoint) { return control(0x02, 0x01, 0, endpoint, 0); }
  bool is_halted(std::uint8_t endpoint) { return control(0x82, 0x00, 0, endpoint, 2).data.at(0) == std::byte{1}; }

  void on_complete(TransferPtr transfer, Completion completion) override {
    ++completions;
    const bool guest_bound = transfer->direction() == Direction::in;
    answers_[transfer->id()] = {completion.status, guest_bound ? transfer->data.copy(completion.actual) : Bytes{},
                                completion.actual};
    order.push_back(transfer->id());
  }

  periplex::testing::VirtualTime time;
  FakeBlock* medium = nullptr;
  std::unique_ptr<Storage> device;
  std::size_t completions = 0;
  std::vector<TransferId> order;  ///< in which transfers came back

 private:
  std::uint64_t next_id_ = 0;
  std::map<TransferId, Answer> answers_;
};

}  // namespace periplex::usb::device::testing

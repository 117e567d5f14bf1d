// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "base/testing/virtual_time.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
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

/// A host with one configured disk: submits transfers to its pipes and keeps what comes back.
class BulkOnlyHost final : public TransferOwner {
 public:
  static constexpr std::uint32_t kTag = 0xc0ffee;

  explicit BulkOnlyHost(StorageOptions options = {.serial = "0123456789ABCDEF"}, std::size_t blocks = 1024) {
    auto fake = std::make_unique<FakeBlock>(blocks);
    medium = fake.get();
    device = std::make_unique<Storage>(options, Speed::super, std::move(fake), time);
    configure();
  }
  ~BulkOnlyHost() { device.reset(); }  // what is pending comes back while there is still somebody to take it

  void configure() {
    (void)control(0x00, 0x09, 1, 0, 0);
    (void)run({std::byte{0}});  // takes the power-on attention
    (void)run({std::byte{3}, {}, {}, {}, std::byte{18}}, 18);
  }

  /// Submits without waiting.
  TransferId in(std::size_t room) {
    return submit(EndpointAddress(1, Direction::in), Direction::in, TransferData::room(room));
  }
  TransferId out(Bytes content) {
    return submit(EndpointAddress(2, Direction::out), Direction::out, TransferData::owned(std::move(content)));
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
  Answer reset_recovery() { return control(0x21, 0xff, 0, 0, 0); }

  static Bytes cbw(const Bytes& cdb, std::uint32_t length, bool data_in, std::uint8_t lun = 0) {
    ByteWriter out;
    out.le32(CommandBlockWrapper::kSignature).le32(kTag).le32(length).u8(data_in ? 0x80 : 0).u8(lun);
    out.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }
  static Bytes csw(std::uint32_t residue, BulkOnlyStatus status) {
    return CommandStatusWrapper{.tag = kTag, .data_residue = residue, .status = status}.encode();
  }

  /// A whole command with data in, or none; returns the status wrapper.
  Bytes run(const Bytes& cdb, std::uint32_t room = 0) {
    (void)get(out(cbw(cdb, room, true)));
    if (room > 0) data = get(in(room)).data;
    return get(in(13)).data;
  }
  Bytes run_out(const Bytes& cdb, const Bytes& content) {
    (void)get(out(cbw(cdb, static_cast<std::uint32_t>(content.size()), false)));
    (void)get(out(content));
    return get(in(13)).data;
  }
  /// The sense data of the last failure: key, ASC, ASCQ.
  std::array<unsigned, 3> sense() {
    (void)run({std::byte{3}, {}, {}, {}, std::byte{18}}, 18);
    const auto at = [this](std::size_t i) { return std::to_integer<unsigned>(data.at(i)); };
    return {at(2), at(12), at(13)};
  }

  void on_complete(TransferPtr transfer, Completion completion) override {
    ++completions;
    const bool guest_bound = transfer->direction() == Direction::in;
    answers_[transfer->id()] = {completion.status, guest_bound ? transfer->data.copy(completion.actual) : Bytes{},
                                completion.actual};
  }

  periplex::testing::VirtualTime time;
  FakeBlock* medium = nullptr;
  std::unique_ptr<Storage> device;
  Bytes data;  ///< of the last command with data in
  std::size_t completions = 0;

 private:
  TransferId submit(EndpointAddress endpoint, Direction direction, TransferData content) {
    const TransferId id(next_id_++);
    device->submit(std::make_unique<Transfer>(*this, id, endpoint, direction, std::move(content)));
    return id;
  }

  std::uint64_t next_id_ = 0;
  std::map<TransferId, Answer> answers_;
};

}  // namespace periplex::usb::device::testing

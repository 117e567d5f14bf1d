// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/testing/virtual_time.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/disk_host.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::usb::device::testing {

/// A host with a bulk-only disk, in front of which something stands.
class FrontedDiskHost final : public TransferOwner {
 public:
  using Front = std::function<std::unique_ptr<Device>(std::unique_ptr<Device> disk, Scheduler& scheduler)>;
  static constexpr std::uint32_t kTag = 0xc0ffee;

  explicit FrontedDiskHost(const Front& front, StorageTransport transport = StorageTransport::bulk_only,
                           std::size_t blocks = 1024) {
    auto fake = std::make_unique<FakeBlock>(blocks);
    medium = fake.get();
    device = front(std::make_unique<Storage>(StorageOptions{.serial = "0123456789ABCDEF", .transport = transport},
                                             Speed::high, std::move(fake), time),
                   time);
  }
  ~FrontedDiskHost() { device.reset(); }

  TransferId submit(EndpointAddress endpoint, TransferData content) {
    const TransferId id(next_id_++);
    device->submit(std::make_unique<Transfer>(*this, id, endpoint, endpoint.direction(), std::move(content)));
    return id;
  }
  TransferId in(std::size_t room) { return submit(EndpointAddress(1, Direction::in), TransferData::room(room)); }
  TransferId out(Bytes content) {
    return submit(EndpointAddress(2, Direction::out), TransferData::owned(std::move(content)));
  }
  Answer get(TransferId id) {
    time.run_until_idle();
    const auto found = answers_.find(id);
    return found == answers_.end() ? Answer{} : found->second;
  }
  Answer control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                 std::uint16_t length) {
    const bool guest_bound = (type & 0x80) != 0;
    const TransferId id(next_id_++);
    auto transfer =
        std::make_unique<Transfer>(*this, id, EndpointAddress(0), guest_bound ? Direction::in : Direction::out,
                                   guest_bound ? TransferData::room(length) : TransferData{});
    transfer->setup = SetupPacket{type, request, value, index, length};
    device->submit(std::move(transfer));
    return get(id);
  }
  Answer descriptor(DescriptorType type, std::uint8_t index = 0, std::uint16_t length = 255) {
    return control(0x80, 6, static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8 | index), 0, length);
  }
  void configure() { (void)control(0x00, 9, 1, 0, 0); }

  static Bytes cbw(const Bytes& cdb, std::uint32_t length, bool data_in) {
    ByteWriter out;
    out.le32(CommandBlockWrapper::kSignature).le32(kTag).le32(length).u8(data_in ? 0x80 : 0).u8(0);
    out.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }
  /// A whole command; its status wrapper. `data` is what came, or went.
  std::optional<CommandStatusWrapper> run(const Bytes& cdb, std::uint32_t length = 0, bool data_in = true) {
    if (get(out(cbw(cdb, length, data_in))).status != Status::ok) return std::nullopt;
    if (length > 0) data = get(data_in ? in(length) : out(Bytes(length, std::byte{0xaa}))).data;
    return CommandStatusWrapper::parse(get(in(CommandStatusWrapper::kSize)).data);
  }

  void on_complete(TransferPtr transfer, Completion completion) override {
    ++completions;
    const bool guest_bound = transfer->direction() == Direction::in;
    answers_[transfer->id()] = {completion.status, guest_bound ? transfer->data.copy(completion.actual) : Bytes{},
                                completion.actual};
  }
  [[nodiscard]] std::size_t submitted() const { return next_id_; }

  periplex::testing::VirtualTime time;
  FakeBlock* medium = nullptr;
  std::unique_ptr<Device> device;
  Bytes data;
  std::size_t completions = 0;

 private:
  std::uint64_t next_id_ = 0;
  std::map<TransferId, Answer> answers_;
};

}  // namespace periplex::usb::device::testing

// SPDX-License-Identifier: Apache-2.0
// Both halves of a terminated disk, with a far side that sends what it likes, and an attachment that has room or not.
#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include "attachment/descriptor_reader.hpp"
#include "base/testing/virtual_time.hpp"
#include "storage/attached/disk_server.hpp"
#include "storage/attached/parts.hpp"
#include "storage/attached/terminated_disk.hpp"
#include "usb/device/storage.hpp"
#include "usb/device/testing/fake_block.hpp"

namespace periplex::storage {
namespace {

struct Link final : attachment::PeripheralLink {
  void send(Bytes message) override { sent += message.size(); }
  [[nodiscard]] bool has_room() const override { return room; }
  [[nodiscard]] bool open() const override { return room; }
  void show(usb::Device* device) override { shown = device; }
  void give_up(std::string) override { given_up = true; }

  bool room = true;
  bool given_up = false;
  std::size_t sent = 0;
  usb::Device* shown = nullptr;
};

Bytes take(ByteReader& input, std::size_t most) {
  const ByteView view = input.take(std::min(most, input.remaining()));
  return {view.begin(), view.end()};
}

/// A message of the far side: whole and plausible, or anything.
Bytes far_message(ByteReader& input) {
  const std::uint8_t kind = input.u8();
  Bytes message{static_cast<std::byte>(0x40 + kind % 5)};
  const Bytes body = take(input, input.u8());
  message.insert(message.end(), body.begin(), body.end());
  if ((kind & 0x80) != 0) message.resize(message.size() + std::size_t{input.le16()} * 64);
  return message;
}

void drive_agent(ByteReader& input) {
  periplex::testing::VirtualTime time;
  auto medium = std::make_unique<usb::device::testing::FakeBlock>(256);
  usb::device::Storage disk({.serial = "0123456789ABCDEF",
                             .transport = (input.u8() & 1) != 0 ? usb::device::StorageTransport::uas
                                                                : usb::device::StorageTransport::bulk_only},
                            usb::Speed::super, std::move(medium), time);
  {
    attachment::Requests requests(disk);
    DiskServer server(time);
    Link link;
    server.begin(link, requests);
    (void)server.on_message(Bytes{kOpenDisk});
    time.advance(std::chrono::seconds(1));
    while (input.ok() && input.remaining() > 0) {
      link.room = (input.u8() & 3) != 0;
      if (!server.on_message(far_message(input))) break;
      if (link.room) server.on_room();
      time.advance(std::chrono::milliseconds(1));
    }
  }
  time.run_until_idle();
}

class Guest final : public usb::TransferOwner {
 public:
  explicit Guest(ByteReader& input) : terminated_(time_, {.write_back = {.enabled = (input.u8() & 1) != 0}}) {
    auto medium = std::make_unique<usb::device::testing::FakeBlock>(16);
    usb::device::Storage disk({.serial = "0123456789ABCDEF"}, usb::Speed::high, std::move(medium), time_);
    attachment::Requests requests(disk);
    attachment::DescriptorReader reader(requests);
    attachment::Describe description{"unit", usb::Speed::high, {}};
    reader.start(usb::Speed::high, attachment::DescriptorReader::Extent::everything,
                 [&](attachment::DescriptorReader::Result result) { description.descriptors = result.descriptors; });
    time_.advance(std::chrono::seconds(1));
    begun_ = terminated_.begin(description, link_);
  }
  ~Guest() {
    terminated_.end();
    time_.run_until_idle();
  }

  void run(ByteReader& input) {
    if (!begun_) __builtin_trap();
    while (input.ok() && input.remaining() > 0) {
      const std::uint8_t what = input.u8();
      link_.room = (what & 0x30) != 0;
      if (link_.room) terminated_.on_resumed();
      if (what % 4 == 0) submit(usb::EndpointAddress(0x81), usb::TransferData::room(input.u8() * std::size_t{16}));
      if (what % 4 == 1) submit(usb::EndpointAddress(0x02), usb::TransferData::owned(take(input, input.u8())));
      if (what % 4 == 2) control(what);
      if (what % 4 == 3 && !terminated_.on_message(far_message(input))) return;
      time_.advance(std::chrono::milliseconds(1));
      if (link_.given_up) return;
    }
  }

 private:
  void on_complete(usb::TransferPtr, usb::Completion) override {}
  void submit(usb::EndpointAddress endpoint, usb::TransferData data) {
    if (link_.shown == nullptr) return;
    link_.shown->submit(std::make_unique<usb::Transfer>(*this, usb::TransferId(++last_), endpoint, endpoint.direction(),
                                                        std::move(data)));
  }
  void control(std::uint8_t what) {
    if (link_.shown == nullptr) return;
    if ((what & 0x40) != 0) link_.shown->reset();
    auto transfer = std::make_unique<usb::Transfer>(*this, usb::TransferId(++last_), usb::EndpointAddress(0),
                                                    usb::Direction::out, usb::TransferData{});
    transfer->setup = (what & 0x80) != 0 ? usb::SetupPacket{0x21, 0xff, 0, 0, 0} : usb::SetupPacket{0, 9, 1, 0, 0};
    link_.shown->submit(std::move(transfer));
  }

  periplex::testing::VirtualTime time_;
  Link link_;
  TerminatedDisk terminated_;
  bool begun_ = false;
  std::uint64_t last_ = 0;
};

}  // namespace
}  // namespace periplex::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::ByteReader input(std::as_bytes(std::span(data, size)));
  if ((input.u8() & 1) != 0) {
    periplex::storage::drive_agent(input);
    return 0;
  }
  periplex::storage::Guest guest(input);
  guest.run(input);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Both sides against whatever the other may send: an agent's server with a worker that sends anything, and a guest's
// device with an agent that answers anything. Each transfer of the guest and of the disk completes once, and memory
// stays bounded.
#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "storage/testing/remote_bench.hpp"

namespace {

using namespace periplex;
using namespace periplex::storage;
using periplex::storage::testing::AgentBench;
using periplex::storage::testing::Wire;

Bytes take(ByteReader& input, std::size_t most) {
  const ByteView bytes = input.take(std::min(input.remaining(), most));
  return {bytes.begin(), bytes.end()};
}

/// Mostly right messages: what is all wrong ends the service at once.
Bytes some_command(ByteReader& input, std::uint64_t tag) {
  Command command{.lun = static_cast<std::uint8_t>(input.u8() & 1)};
  const std::uint8_t how = input.u8();
  command.ordered = (how & 0x80) != 0;
  command.cdb = take(input, 1 + how % 16);
  if (command.cdb.empty()) command.cdb.resize(6);
  const std::uint32_t length = std::uint32_t{input.u8()} * 61;
  if (length > 0) command.data = {(how & 0x40) != 0 ? DataDirection::to_host : DataDirection::from_host, length};
  if (command.data.direction == DataDirection::from_host) command.data_out.resize(length);
  return encode(tag, command);
}

void drive_server(ByteReader input) {
  AgentBench bench((input.u8() & 1) != 0, usb::Speed::super, 300);
  bench.medium->slow = false;
  const auto identity = bench.open();
  PERIPLEX_CHECK(identity.has_value());
  Wire wire(bench.time, Nanoseconds(0));
  TargetServer server(wire.agent, *bench.initiator, *identity);
  bench.medium->slow = (input.u8() & 1) != 0;
  while (input.ok() && input.remaining() > 0) {
    const std::uint8_t what = input.u8();
    const std::uint8_t more = input.u8();
    switch (what % 8) {
      case 0:
        wire.worker.send(encode(AbortMessage{more, (what & 0x40) != 0}));
        break;
      case 1:
        wire.worker.send(encode(ResetMessage{more, static_cast<std::uint8_t>(what >> 7)}));
        break;
      case 2:
        wire.worker.send(take(input, more));
        break;
      case 3:
        (void)bench.medium->complete_next();
        break;
      case 4:
        bench.time.advance(std::chrono::seconds(more));
        break;
      default:
        wire.worker.send(some_command(input, more));
        break;
    }
    bench.time.advance(Nanoseconds(1));
  }
}

class Guest final : public usb::TransferOwner {
 public:
  explicit Guest(ByteReader& input) : wire_(time_, Nanoseconds(0)) {
    const std::uint8_t how = input.u8();
    const RemoteOptions options{.read_ahead = {.enabled = (how & 1) != 0, .limit = 1 << 16},
                                .write_back = {.enabled = (how & 2) != 0, .limit = 1 << 14}};
    auto owned = std::make_unique<RemoteTarget>(wire_.worker, time_, options);
    DiskIdentity identity{.units = {{.block_size = 512, .blocks = 100000}}};
    if ((how & 4) != 0) identity.units.push_back({});
    wire_.agent.send((how & 8) != 0 ? take(input, 60) : encode(identity));
    time_.advance(Nanoseconds(1));
    device_ = std::make_unique<usb::device::StorageDevice>(device_identity(identity), device_transport(identity),
                                                           usb::Speed::super, std::move(owned), time_);
    control(0x00, 0x09, 1, 0);
    if ((how & 16) != 0) control(0x01, 0x0b, 1, 0);
  }
  ~Guest() {
    device_.reset();
    time_.run_until_idle();
    PERIPLEX_CHECK(completed_ == submitted_);
  }

  void step(ByteReader& input) {
    const std::uint8_t what = input.u8();
    const std::uint8_t more = input.u8();
    switch (what % 10) {
      case 0:
        in(std::size_t{more} * 61, more % 5);
        break;
      case 1:
        out(usb::EndpointAddress(2), Bytes(std::size_t{more} * 61), more % 5);
        break;
      case 2:
        out(usb::EndpointAddress(2), cbw(input, more), 0);
        break;
      case 3:
        out(usb::EndpointAddress(4), uas_iu(input, more), 0);
        break;
      case 4:
        submit(usb::EndpointAddress(0x83), usb::TransferData::room(112), more % 5);
        break;
      case 5:
        answer(input, more);
        break;
      case 6:
        wire_.agent.send(take(input, more));
        break;
      case 7:
        disturb(more);
        break;
      default:
        read_on(more);
        break;
    }
    time_.advance(Nanoseconds(1));
  }

 private:
  void on_complete(usb::TransferPtr, usb::Completion) override { ++completed_; }

  void submit(usb::EndpointAddress endpoint, usb::TransferData data, std::uint16_t stream) {
    const usb::TransferId id(++submitted_);
    auto transfer = std::make_unique<usb::Transfer>(*this, id, endpoint, endpoint.direction(), std::move(data));
    transfer->stream = stream;
    device_->submit(std::move(transfer));
  }
  void in(std::size_t room, std::uint16_t stream) {
    submit(usb::EndpointAddress(0x81), usb::TransferData::room(room), stream);
  }
  void out(usb::EndpointAddress endpoint, Bytes data, std::uint16_t stream) {
    submit(endpoint, usb::TransferData::owned(std::move(data)), stream);
  }
  void control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index) {
    auto transfer = std::make_unique<usb::Transfer>(*this, usb::TransferId(++submitted_), usb::EndpointAddress(0),
                                                    usb::Direction::out, usb::TransferData{});
    transfer->setup = usb::SetupPacket{type, request, value, index, 0};
    device_->submit(std::move(transfer));
    time_.advance(Nanoseconds(1));
  }
  static Bytes cbw(ByteReader& input, std::uint8_t more) {
    const Bytes cdb = take(input, 16);
    ByteWriter out;
    out.le32(usb::device::CommandBlockWrapper::kSignature).le32(more).le32(std::uint32_t{more} * 512);
    out.u8((more & 1) != 0 ? 0x80 : 0).u8(0).u8(static_cast<std::uint8_t>(std::max<std::size_t>(cdb.size(), 1)));
    out.bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }
  static Bytes uas_iu(ByteReader& input, std::uint8_t more) {
    using usb::device::testing::UasHost;
    const auto tag = static_cast<std::uint16_t>(more % 5);
    if ((more & 0x80) != 0) {
      return UasHost::management_iu(tag, static_cast<usb::device::UasFunction>(1u << (more >> 4 & 7)), 1);
    }
    return UasHost::command_iu(tag, take(input, 10));
  }
  /// A result for one of the worker's tags, which count from 1 on.
  void answer(ByteReader& input, std::uint8_t more) {
    Result result{.outcome = static_cast<Outcome>(more % 16 == 2   ? 2
                                                  : more % 16 == 1 ? 1
                                                                   : 0),
                  .status = static_cast<ScsiStatus>((more & 0x40) != 0 ? 2 : 0),
                  .residue = input.le16()};
    if ((more & 0x20) != 0) result.sense = take(input, 18);
    result.data_in.resize(std::size_t{input.le16()} * 2);
    wire_.agent.send(encode(std::max<std::size_t>(wire_.worker.sent, input.u8() % 8) - input.u8() % 8, result));
  }
  void disturb(std::uint8_t more) {
    if (more % 4 == 0) device_->cancel(usb::TransferId(more));
    if (more % 4 == 1) device_->reset(), control(0x00, 0x09, 1, 0);
    if (more % 4 == 2) control(0x21, 0xff, 0, 0);
    if (more % 4 == 3) control(0x02, 1, 0, (more & 4) != 0 ? 0x81 : 0x02);
  }
  /// What makes read-ahead begin and go on.
  void read_on(std::uint8_t more) {
    const unsigned blocks = 1 + more % 16;
    Bytes data = periplex::storage::testing::cdb10(0x28, next_, blocks);
    next_ += blocks;
    ByteWriter out;
    out.le32(usb::device::CommandBlockWrapper::kSignature).le32(1).le32(blocks * 512).u8(0x80).u8(0).u8(10);
    out.bytes(data).zeros(6);
    this->out(usb::EndpointAddress(2), out.take(), 0);
    in(blocks * 512, 0);
    in(13, 0);
  }

  periplex::testing::VirtualTime time_;
  Wire wire_;
  std::unique_ptr<usb::device::StorageDevice> device_;
  std::uint64_t submitted_ = 0;
  std::uint64_t completed_ = 0;
  unsigned next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(std::as_bytes(std::span(data, size)));
  if ((input.u8() & 1) != 0) {
    drive_server(input);
    return 0;
  }
  (void)decode_worker_message(input.rest());
  (void)decode_agent_message(input.rest());
  Guest guest(input);
  while (input.ok() && input.remaining() > 0) guest.step(input);
  return 0;
}

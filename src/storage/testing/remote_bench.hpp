// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "storage/remote_target.hpp"
#include "storage/target_server.hpp"
#include "storage/testing/agent_bench.hpp"
#include "storage/testing/wire.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/storage_device.hpp"
#include "usb/device/testing/uas_host.hpp"

namespace periplex::storage::testing {

struct BenchOptions {
  Nanoseconds round_trip = std::chrono::milliseconds(50);
  double rate = 0;  ///< bytes per second each way; 0: as much as one likes
  bool agent_uas = false;
  RemoteOptions remote = {};
  std::size_t blocks = 4096;
};

/// A guest's host controller and driver on the device that the worker shows it, with the real disk at the far end of a
/// wire.
class RemoteBench : public usb::TransferOwner {
 public:
  /// How a command ended, as a bulk-only guest sees it.
  struct Ended {
    Bytes data;
    usb::device::BulkOnlyStatus status{};
    std::uint32_t residue = 0;
    Nanoseconds took{};
    [[nodiscard]] bool passed() const { return status == usb::device::BulkOnlyStatus::passed; }
  };

  explicit RemoteBench(const BenchOptions& options = {})
      : agent(options.agent_uas, usb::Speed::super, options.blocks),
        wire(agent.time, options.round_trip, options.rate) {
    auto owned = std::make_unique<RemoteTarget>(wire.worker, agent.time, options.remote);
    target = owned.get();
    const auto identity = agent.open();
    server = std::make_unique<TargetServer>(wire.agent, *agent.initiator, *identity);
    agent.time.advance(options.round_trip);
    device = std::make_unique<usb::device::StorageDevice>(device_identity(*target->identity()),
                                                          device_transport(*target->identity()), usb::Speed::super,
                                                          std::move(owned), agent.time);
    control(0x00, 0x09, 1, 0, 0);
    (void)run(Bytes(6));  // takes the power-on attention
    (void)run(cdb10(0x25, 0, 0), 8);
  }
  virtual ~RemoteBench() {
    device.reset();
    server.reset();
  }

  usb::TransferId submit(usb::EndpointAddress endpoint, usb::TransferData data, std::uint16_t stream = 0) {
    const usb::TransferId id(++last_id_);
    auto transfer = std::make_unique<usb::Transfer>(*this, id, endpoint, endpoint.direction(), std::move(data));
    transfer->stream = stream;
    device->submit(std::move(transfer));
    return id;
  }
  usb::TransferId in(std::size_t room) { return submit(usb::EndpointAddress(0x81), usb::TransferData::room(room)); }
  usb::TransferId out(Bytes data) {
    return submit(usb::EndpointAddress(0x02), usb::TransferData::owned(std::move(data)));
  }
  void control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
               std::uint16_t length) {
    const usb::TransferId id(++last_id_);
    auto transfer = std::make_unique<usb::Transfer>(*this, id, usb::EndpointAddress(0), usb::Direction::out,
                                                    usb::TransferData::room(length));
    transfer->setup = usb::SetupPacket{type, request, value, index, length};
    device->submit(std::move(transfer));
    (void)wait(id);
  }
  /// Lets time pass until the transfer has come back.
  Bytes wait(usb::TransferId id, Nanoseconds patience = std::chrono::seconds(100)) {
    const Nanoseconds end = agent.time.now() + patience;
    agent.time.run_until_idle();
    while (!answers_.contains(id) && agent.time.now() < end) agent.time.advance(std::chrono::microseconds(100));
    return answers_[id];
  }
  [[nodiscard]] bool ended(usb::TransferId id) {
    agent.time.run_until_idle();
    return answers_.contains(id);
  }

  /// One whole command, stage after stage, as a driver does it.
  Ended run(const Bytes& cdb, std::uint32_t room = 0, const Bytes& data_out = {}) {
    const Nanoseconds begin = agent.time.now();
    const bool out_bound = !data_out.empty();
    const auto length = out_bound ? static_cast<std::uint32_t>(data_out.size()) : room;
    (void)wait(out(cbw(cdb, length, !out_bound)));
    Ended ended;
    if (out_bound) {
      (void)wait(out(data_out));
    } else if (room > 0) {
      ended.data = wait(in(room));
    }
    const auto csw = usb::device::CommandStatusWrapper::parse(wait(in(13)));
    ended.status = csw ? csw->status : usb::device::BulkOnlyStatus::phase_error;
    ended.residue = csw ? csw->data_residue : length;
    ended.data.resize(std::min<std::size_t>(ended.data.size(), length - ended.residue));
    ended.took = agent.time.now() - begin;
    return ended;
  }
  Ended read(unsigned lba, unsigned blocks) { return run(cdb10(0x28, lba, blocks), blocks * 512); }
  Ended write(unsigned lba, const Bytes& data) {
    return run(cdb10(0x2a, lba, static_cast<unsigned>(data.size() / 512)), 0, data);
  }
  /// The sense data of the last failure: key, ASC, ASCQ; and whether they are about an earlier command.
  SenseSummary sense() { return summarize_sense(run(bytes({3, 0, 0, 0, 18, 0}), 18).data); }

  Bytes cbw(const Bytes& cdb, std::uint32_t length, bool to_host) {
    ByteWriter out;
    out.le32(usb::device::CommandBlockWrapper::kSignature).le32(++tag_).le32(length).u8(to_host ? 0x80 : 0).u8(0);
    out.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }

  AgentBench agent;
  Wire wire;
  RemoteTarget* target = nullptr;
  std::unique_ptr<TargetServer> server;
  std::unique_ptr<usb::device::StorageDevice> device;

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const bool guest_bound = transfer->direction() == usb::Direction::in;
    answers_[transfer->id()] = guest_bound ? transfer->data.copy(completion.actual) : Bytes{};
  }

  std::map<usb::TransferId, Bytes> answers_;
  std::uint64_t last_id_ = 0;
  std::uint32_t tag_ = 0;
};

}  // namespace periplex::storage::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "attachment/device_server.hpp"
#include "attachment/remote_peripheral.hpp"
#include "attachment/testing/simulated_link.hpp"
#include "base/testing/virtual_time.hpp"
#include "storage/attached/disk_server.hpp"
#include "storage/attached/terminated_disk.hpp"
#include "storage/testing/agent_bench.hpp"
#include "storage/testing/meddling_device.hpp"
#include "usb/device/bulk_only_wrapper.hpp"
#include "usb/device/storage.hpp"

namespace periplex::storage::testing {

/// Counts how often each block has been read and written.
class CountingBlock final : public usb::device::BlockBackend {
 public:
  explicit CountingBlock(std::size_t blocks) : inner(blocks), reads(blocks), writes(blocks) {}

  [[nodiscard]] std::uint64_t size() const override { return inner.size(); }
  [[nodiscard]] std::uint32_t logical_block_size() const override { return inner.logical_block_size(); }
  [[nodiscard]] bool read_only() const override { return inner.read_only(); }
  [[nodiscard]] bool can_discard() const override { return inner.can_discard(); }
  [[nodiscard]] usb::device::BlockStart start(const usb::device::BlockRequest& request,
                                              usb::device::BlockHandler handler) override {
    using usb::device::BlockOperation;
    if (request.operation == BlockOperation::read) count(reads, request);
    if (request.operation == BlockOperation::write) count(writes, request);
    return inner.start(request, std::move(handler));
  }

  usb::device::testing::FakeBlock inner;
  std::vector<unsigned> reads, writes;

 private:
  static void count(std::vector<unsigned>& counts, const usb::device::BlockRequest& request) {
    for (std::uint64_t at = request.offset; at < request.offset + request.length; at += 512) ++counts[at / 512];
  }
};

struct AttachedOptions {
  Nanoseconds round_trip = std::chrono::milliseconds(50);
  double rate = 0;  ///< bytes per second each way; 0: as many as one likes
  bool agent_uas = false;
  RemoteOptions remote = {.read_ahead = {.enabled = false}, .write_back = {}};
  std::size_t blocks = 4096;
  std::uint32_t seed = 1;
  bool read_only = false;
};

/// A guest with a bulk-only driver, the worker's and the agent's side of an attachment with a link between them that
/// can be cut, and a real disk.
class AttachedBench : public usb::TransferOwner, public remote::SessionHost {
 public:
  struct Ended {
    Bytes data;
    usb::device::BulkOnlyStatus status = usb::device::BulkOnlyStatus::phase_error;
    std::uint32_t residue = 0;
    Nanoseconds took{};
    [[nodiscard]] bool passed() const { return status == usb::device::BulkOnlyStatus::passed; }
  };

  explicit AttachedBench(const AttachedOptions& options = {})
      : link(time, options.round_trip / 2, options.seed), terminated(time, options.remote), random(options.seed) {
    auto counted = std::make_unique<CountingBlock>(options.blocks);
    medium = counted.get();
    medium->inner.content = pattern(medium->inner.content.size());
    medium->inner.protect = options.read_only;
    using usb::device::StorageTransport;
    const usb::device::StorageOptions storage = {
        .vendor = "Maker",
        .product = "Stick",
        .revision = "1.23",
        .serial = "0123456789ABCDEF",
        .read_only = options.read_only,
        .transport = options.agent_uas ? StorageTransport::uas : StorageTransport::bulk_only};
    disk = std::make_unique<usb::device::Storage>(storage, usb::Speed::super, std::move(counted), time);
    real = std::make_unique<MeddlingDevice>(*disk, time);
    link.rate = options.rate;
    peripheral = std::make_unique<attachment::RemotePeripheral>(*this, time, instances.source(),
                                                                attachment::PeripheralOptions{}, &terminated);
    link.ends[0] = {.connected = [this] { peripheral->connected(); },
                    .receive = [this](ByteView bytes) { peripheral->receive(bytes); },
                    .disconnected = [this] { peripheral->disconnected(); }};
    start_agent();
    link.connect();
    time.advance(std::chrono::seconds(2));
  }
  virtual ~AttachedBench() {
    peripheral.reset();
    server.reset();
    time.run_until_idle();
    real.reset();
    disk.reset();
  }

  void start_agent() {
    disk_server = std::make_unique<DiskServer>(time);
    server = std::make_unique<attachment::DeviceServer>(*real, "unit", to_worker, time, instances.source(),
                                                        attachment::ServerOptions{}, disk_server.get());
    link.ends[1] = {.connected = [this] { server->connected(); },
                    .receive = [this](ByteView bytes) { server->receive(bytes); },
                    .disconnected = [this] { server->disconnected(); }};
  }
  /// The agent dies and comes again.
  void restart_agent() {
    link.cut();
    server.reset();
    disk_server.reset();
    time.run_until_idle();
    start_agent();
    link.connect();
  }
  /// What a driver does when a disk appears.
  void set_up() {
    control(0x00, 0x09, 1, 0);
    (void)run(Bytes(6));  // takes the power-on attention
    (void)run(cdb10(0x25, 0, 0), 8);
  }

  usb::TransferId submit(usb::EndpointAddress endpoint, usb::TransferData data) {
    const usb::TransferId id(++last_id_);
    auto transfer = std::make_unique<usb::Transfer>(*this, id, endpoint, endpoint.direction(), std::move(data));
    if (guest_device == nullptr) {
      statuses[id] = usb::Status::disconnected;
      answers_[id] = {};
    } else {
      guest_device->submit(std::move(transfer));
    }
    return id;
  }
  usb::TransferId in(std::size_t room) { return submit(usb::EndpointAddress(0x81), usb::TransferData::room(room)); }
  usb::TransferId out(Bytes data) {
    return submit(usb::EndpointAddress(0x02), usb::TransferData::owned(std::move(data)));
  }
  Bytes control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                std::uint16_t length = 0) {
    const usb::TransferId id(++last_id_);
    const usb::SetupPacket setup{type, request, value, index, length};
    auto transfer = std::make_unique<usb::Transfer>(*this, id, usb::EndpointAddress(0), setup.direction(),
                                                    usb::TransferData::room(length));
    transfer->setup = setup;
    guest_device->submit(std::move(transfer));
    return wait(id);
  }
  /// Lets a little time pass, in which the connection may be cut or come back.
  void step() {
    time.advance(std::chrono::microseconds(100));
    if (!chaos) return;
    if (link.up() && random() % cut_every == 0) {
      link.cut();
      down_for = 1 + random() % 1000;
    } else if (!link.up() && --down_for == 0) {
      link.connect();
    }
  }
  Bytes wait(usb::TransferId id, Nanoseconds patience = std::chrono::seconds(100)) {
    const Nanoseconds end = time.now() + patience;
    time.run_until_idle();
    while (!answers_.contains(id) && time.now() < end) step();
    return std::exchange(answers_[id], {});
  }
  [[nodiscard]] bool ended(usb::TransferId id) const { return answers_.contains(id); }

  Bytes cbw(const Bytes& cdb, std::uint32_t length, bool to_host) {
    ByteWriter writer;
    writer.le32(usb::device::CommandBlockWrapper::kSignature).le32(++tag_).le32(length).u8(to_host ? 0x80 : 0).u8(0);
    writer.u8(static_cast<std::uint8_t>(cdb.size())).bytes(cdb).zeros(16 - cdb.size());
    return writer.take();
  }
  /// One whole command, stage after stage, as a driver does it.
  Ended run(const Bytes& cdb, std::uint32_t room = 0, const Bytes& data_out = {}) {
    const Nanoseconds begin = time.now();
    const bool from_host = !data_out.empty();
    const auto length = from_host ? static_cast<std::uint32_t>(data_out.size()) : room;
    (void)wait(out(cbw(cdb, length, !from_host)));
    Ended result{.data = {}, .residue = length, .took = {}};
    if (from_host) {
      (void)wait(out(data_out));
    } else if (room > 0) {
      result.data = wait(in(room));
    }
    if (const auto csw = usb::device::CommandStatusWrapper::parse(wait(in(13)))) {
      result.status = csw->status;
      result.residue = csw->data_residue;
    }
    result.data.resize(std::min<std::size_t>(result.data.size(), length - std::min(result.residue, length)));
    result.took = time.now() - begin;
    return result;
  }
  Ended read(unsigned lba, unsigned blocks) { return run(cdb10(0x28, lba, blocks), blocks * 512); }
  Ended write(unsigned lba, const Bytes& data) {
    return run(cdb10(0x2a, lba, static_cast<unsigned>(data.size() / 512)), 0, data);
  }
  SenseSummary sense() { return summarize_sense(run(bytes({3, 0, 0, 0, 18, 0}), 18).data); }
  [[nodiscard]] Bytes content(unsigned lba, unsigned blocks) const {
    const auto begin = medium->inner.content.begin() + lba * 512;
    return {begin, begin + blocks * 512};
  }

  void send(Bytes bytes) override { link.send(0, std::move(bytes)); }
  void device_arrived(usb::Device& device) override {
    ++arrivals;
    guest_device = &device;
  }
  void device_left(usb::Device&) override {
    ++departures;
    guest_device = nullptr;
  }
  void session_failed(std::string why) override { worker_failure = std::move(why); }

  struct ToWorker final : attachment::ServerHost {
    explicit ToWorker(attachment::testing::SimulatedLink& l) : link(l) {}
    void send(Bytes bytes) override { link.send(1, std::move(bytes)); }
    void server_failed(std::string why) override { failure = std::move(why); }
    attachment::testing::SimulatedLink& link;
    std::string failure;
  };

  periplex::testing::VirtualTime time;
  attachment::testing::SimulatedLink link;
  attachment::testing::CountedInstances instances;
  ToWorker to_worker{link};
  TerminatedDisk terminated;
  std::unique_ptr<DiskServer> disk_server;
  CountingBlock* medium = nullptr;
  std::unique_ptr<usb::device::Storage> disk;
  std::unique_ptr<MeddlingDevice> real;
  std::unique_ptr<attachment::RemotePeripheral> peripheral;
  std::unique_ptr<attachment::DeviceServer> server;
  usb::Device* guest_device = nullptr;
  std::map<usb::TransferId, usb::Status> statuses;
  unsigned arrivals = 0, departures = 0;
  std::string worker_failure;
  std::mt19937 random;
  bool chaos = false;
  unsigned cut_every = 200;
  unsigned long down_for = 0;

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    statuses[transfer->id()] = completion.status;
    const bool guest_bound = transfer->direction() == usb::Direction::in;
    answers_[transfer->id()] = guest_bound ? transfer->data.copy(completion.actual) : Bytes{};
  }

  std::map<usb::TransferId, Bytes> answers_;
  std::uint64_t last_id_ = 0;
  std::uint32_t tag_ = 0;
};

}  // namespace periplex::storage::testing

// SPDX-License-Identifier: Apache-2.0
// A program for tests in guests: drives a real device through UsbDevice, as a machine's drivers would.
//
//   usb_probe disk VENDOR PRODUCT LBA BLOCKS   what READ CAPACITY(10) says on stderr, the blocks on standard output
//   usb_probe uas VENDOR PRODUCT               INQUIRY through stream 1; its data on standard output
//   usb_probe cancel VENDOR PRODUCT            asks a keyboard for a report, and takes that back after a moment
//   usb_probe play VENDOR PRODUCT              plays a second of 48 kHz stereo, all samples the same, on a USB
//   Audio 1.0
//                                              device; prints how many packets were sent
//   usb_probe wait VENDOR PRODUCT              asks for reports until the device is gone; prints how each ended
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "host/io_pool.hpp"
#include "host/usb/monitor.hpp"
#include "host/usb/open_device.hpp"
#include "host/usb/pool_calls.hpp"

namespace {

using namespace periplex;
using usb::Direction;
using usb::EndpointAddress;
using usb::Status;

constexpr Nanoseconds kStep = std::chrono::milliseconds(10);
constexpr int kStepsBeforeCancel = 20;
constexpr std::size_t kBlock = 512;
constexpr std::uint16_t kSample = 0x1234;
constexpr std::uint32_t kAudioPacket = 192;  // a millisecond
constexpr unsigned kPacketsInTransfer = 8;
constexpr unsigned kAudioTransfers = 125;
constexpr unsigned kTransfersInFlight = 4;

class Probe final : private usb::TransferOwner, private host::UsbMonitorListener {
 public:
  struct Result {
    Status status = Status::ok;
    Bytes data;
  };

  ~Probe() {
    device_.reset();
    monitor_.reset();
    while (host::open_usb_devices() > 0) loop_.run_once(kStep);
  }

  bool open(std::uint16_t vendor, std::uint16_t product) {
    host::UsbMonitorListener& listener = *this;
    monitor_ = host::UsbMonitor::start(loop_, calls_, listener).value_or(nullptr);
    for (const auto& [location, each] : present_) {
      const auto& descriptor = each.descriptors.device;
      if (descriptor.vendor_id == vendor && descriptor.product_id == product) description_ = each;
    }
    if (!description_) return std::fputs("there is no such device\n", stderr), false;
    bool answered = false;
    host::open_usb_device({loop_, calls_, memory_}, *description_, [&](auto opened) {
      answered = true;
      if (opened) device_ = std::move(*opened);
      if (!opened) std::fprintf(stderr, "%s\n", host::describe(opened.error()).data());
    });
    while (!answered) loop_.run_once(kStep);
    if (device_ == nullptr) return false;
    // As a machine does that finds it in a port.
    device_->reset();
    const auto descriptor = control({.request_type = 0x80, .request = 6, .value = 0x0100, .length = 18});
    const auto configured = control({.request_type = 0, .request = 9, .value = 1});
    std::fprintf(stderr, "device descriptor: %zu bytes, SET_CONFIGURATION: %s\n", descriptor.data.size(),
                 usb::name(configured.status).data());
    return descriptor.data.size() == 18 && configured.status == Status::ok;
  }

  Result control(const usb::SetupPacket& setup) {
    auto transfer = make(EndpointAddress(0), setup.direction(), usb::TransferData::room(setup.length));
    transfer->setup = setup;
    return wait(submit(std::move(transfer)));
  }
  usb::TransferId start_in(EndpointAddress address, std::size_t size, std::uint16_t stream = 0) {
    auto transfer = make(address, Direction::in, usb::TransferData::room(size));
    transfer->stream = stream;
    return submit(std::move(transfer));
  }
  usb::TransferId start_out(EndpointAddress address, Bytes data) {
    return submit(make(address, Direction::out, usb::TransferData::owned(std::move(data))));
  }
  usb::TransferId start_sound(EndpointAddress address) {
    ByteWriter samples;
    for (unsigned i = 0; i < kPacketsInTransfer * kAudioPacket / sizeof kSample; ++i) samples.le16(kSample);
    auto transfer = make(address, Direction::out, usb::TransferData::owned(samples.take()));
    for (unsigned i = 0; i < kPacketsInTransfer; ++i) {
      transfer->packets.push_back({.offset = i * kAudioPacket, .length = kAudioPacket});
    }
    return submit(std::move(transfer));
  }
  Result wait(usb::TransferId id) {
    while (!results_.contains(id.value)) loop_.run_once(kStep);
    return std::move(results_.extract(id.value).mapped());
  }
  [[nodiscard]] bool ended(usb::TransferId id) const { return results_.contains(id.value); }
  void step() { loop_.run_once(kStep); }

  [[nodiscard]] unsigned packets_sent() const { return packets_sent_; }
  [[nodiscard]] usb::Device& device() { return *device_; }
  /// Of the first interface.
  [[nodiscard]] const std::vector<usb::ParsedEndpoint>& endpoints() const {
    return description_->descriptors.configurations.at(0).interfaces.at(0).endpoints;
  }
  [[nodiscard]] EndpointAddress endpoint(Direction direction) const {
    for (const auto& each : endpoints()) {
      if (each.descriptor.address.direction() == direction) return each.descriptor.address;
    }
    return {};
  }

 private:
  usb::TransferPtr make(EndpointAddress address, Direction direction, usb::TransferData data) {
    usb::TransferOwner& owner = *this;
    return std::make_unique<usb::Transfer>(owner, usb::TransferId(++last_id_), address, direction, std::move(data));
  }
  usb::TransferId submit(usb::TransferPtr transfer) {
    const usb::TransferId id = transfer->id();
    device_->submit(std::move(transfer));
    return id;
  }
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    const bool in = transfer->direction() == Direction::in;
    for (const auto& packet : transfer->packets) packets_sent_ += packet.status == Status::ok ? 1 : 0;
    results_[transfer->id().value] = {completion.status, in ? transfer->data.copy(completion.actual) : Bytes{}};
  }
  void on_usb_arrived(const host::UsbDescription& device) override { present_[device.location] = device; }
  void on_usb_left(const host::UsbDescription& device) override { present_.erase(device.location); }

  EventLoop loop_;
  host::IoPool pool_{loop_};
  host::PoolCalls calls_{pool_};
  host::UsbfsMemory memory_{host::UsbfsMemory::limit_of_this_computer()};
  std::map<host::UsbLocation, host::UsbDescription> present_;
  std::optional<host::UsbDescription> description_;
  std::unique_ptr<host::UsbMonitor> monitor_;
  std::unique_ptr<host::UsbDevice> device_;
  std::map<std::uint64_t, Result> results_;
  unsigned packets_sent_ = 0;
  std::uint64_t last_id_ = 0;
};

void print(const Bytes& data) {
  std::fwrite(data.data(), 1, data.size(), stdout);
}

/// One command of USB Mass Storage Bulk-Only 1.0 §5; empty if it failed.
std::optional<Bytes> bulk_only(Probe& probe, const Bytes& command, std::size_t size) {
  ByteWriter wrapper;
  wrapper.le32(0x43425355).le32(1).le32(static_cast<std::uint32_t>(size)).u8(0x80).u8(0);
  wrapper.u8(static_cast<std::uint8_t>(command.size())).bytes(command).zeros(16 - command.size());
  const EndpointAddress in = probe.endpoint(Direction::in);
  const auto sent = probe.start_out(probe.endpoint(Direction::out), wrapper.take());
  const auto data = probe.start_in(in, size);
  (void)probe.wait(sent);
  Probe::Result got = probe.wait(data);
  // Not earlier: QEMU's disk forgets a request for the status that comes while it still moves data.
  const Probe::Result csw = probe.wait(probe.start_in(in, 13));
  std::fprintf(stderr, "data: %s, status: %s\n", usb::name(got.status).data(), hex(csw.data).c_str());
  if (csw.data.size() != 13 || csw.data[12] != std::byte{0}) return std::nullopt;
  return std::move(got.data);
}

int read_disk(Probe& probe, std::uint32_t lba, std::uint16_t blocks) {
  ByteWriter unit_ready;
  unit_ready.u8(0x12).zeros(3).u8(36).u8(0);
  (void)bulk_only(probe, unit_ready.take(), 36);
  ByteWriter capacity;
  capacity.u8(0x25).zeros(9);
  const auto size = bulk_only(probe, capacity.take(), 8);
  if (!size) return 1;
  ByteReader fields(*size);
  const std::uint32_t last = fields.be32();
  std::fprintf(stderr, "capacity: %u blocks of %u\n", last + 1, fields.be32());
  ByteWriter read;
  read.u8(0x28).u8(0).be32(lba).u8(0).be16(blocks).u8(0);
  const auto data = bulk_only(probe, read.take(), kBlock * blocks);
  if (!data) return 1;
  print(*data);
  return 0;
}

/// INQUIRY as UAS has it (UAS-3 §6.2): the command through its pipe, data and status through stream 1 of theirs.
int inquire(Probe& probe) {
  const auto& endpoints = probe.endpoints();
  if (endpoints.size() != 4) return 1;
  const auto status = probe.start_in(endpoints[1].descriptor.address, 96, 1);
  const auto data = probe.start_in(endpoints[2].descriptor.address, 36, 1);
  ByteWriter command;
  command.u8(0x01).u8(0).be16(1).zeros(12);
  command.u8(0x12).zeros(3).u8(36).zeros(11);
  const Probe::Result sent = probe.wait(probe.start_out(endpoints[0].descriptor.address, command.take()));
  const Probe::Result got = probe.wait(data);
  const Probe::Result end = probe.wait(status);
  std::fprintf(stderr, "command: %s, data: %s, status: %s %s\n", usb::name(sent.status).data(),
               usb::name(got.status).data(), usb::name(end.status).data(), hex(end.data).c_str());
  print(got.data);
  return 0;
}

int cancel(Probe& probe) {
  const auto report = probe.start_in(probe.endpoint(Direction::in), 8);
  for (int i = 0; i < kStepsBeforeCancel; ++i) probe.step();
  if (probe.ended(report)) return 1;
  probe.device().cancel(report);
  std::printf("%s\n", usb::name(probe.wait(report).status).data());
  return 0;
}

int play(Probe& probe) {
  const auto chosen = probe.control({.request_type = 1, .request = 11, .value = 1, .index = 1});
  if (chosen.status != Status::ok) return 1;
  std::deque<usb::TransferId> in_flight;
  for (unsigned i = 0; i < kAudioTransfers; ++i) {
    in_flight.push_back(probe.start_sound(EndpointAddress(0x01)));
    if (in_flight.size() < kTransfersInFlight) continue;
    (void)probe.wait(in_flight.front());
    in_flight.pop_front();
  }
  for (const auto id : in_flight) (void)probe.wait(id);
  std::printf("%u\n", probe.packets_sent());
  return 0;
}

int wait(Probe& probe) {
  std::puts("waiting");
  std::fflush(stdout);
  for (Status status = Status::ok; status == Status::ok;) {
    status = probe.wait(probe.start_in(probe.endpoint(Direction::in), 8)).status;
    std::printf("%s\n", usb::name(status).data());
    std::fflush(stdout);
  }
  return 0;
}

unsigned long number(const char* text) {
  return std::strtoul(text, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string_view what = argv[1];
  Probe probe;
  if (!probe.open(static_cast<std::uint16_t>(number(argv[2])), static_cast<std::uint16_t>(number(argv[3])))) return 1;
  if (what == "disk" && argc == 6) {
    return read_disk(probe, static_cast<std::uint32_t>(number(argv[4])), static_cast<std::uint16_t>(number(argv[5])));
  }
  if (what == "uas") return inquire(probe);
  if (what == "cancel") return cancel(probe);
  if (what == "play") return play(probe);
  if (what == "wait") return wait(probe);
  return 2;
}

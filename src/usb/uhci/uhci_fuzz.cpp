// SPDX-License-Identifier: Apache-2.0
// The controller against a guest that does anything, in two flavours: a schedule that is nothing but the input's bytes,
// and one that a driver has set up properly before everything of it is mutated. Where the input says so, another thread
// writes to the schedule in the middle of every walk.
//
// Beside what the sanitizers see, every run ends with a proof that the controller still lives: after a reset a driver
// gets a packet through.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/check.hpp"
#include "usb/uhci/testing/rig.hpp"

namespace periplex::usb::uhci {
namespace {

using namespace testing;
using usb::testing::FakeDevice;

constexpr std::size_t kRamSize = 0x40000;
constexpr std::size_t kMaxSteps = 300;

/// Another processor of the guest that writes dwords of the schedule while the controller reads it.
class Scribbler {
 public:
  Scribbler(guest::Memory& memory, ByteView script) : memory_(memory), script_(script.begin(), script.end()) {
    if (script_.size() >= 8) thread_ = std::thread([this] { scribble(); });
  }
  ~Scribbler() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void scribble() {
    // Its own look at the memory: `guest::Memory` belongs to the loop.
    const auto pinned = memory_.pin(GuestAddress(0), kRamSize, guest::Intent::write);
    const MutableByteView ram = pinned->spans().front();
    while (!stop_) {
      ByteReader reader(script_);
      while (reader.remaining() >= 6 && !stop_) {
        const std::size_t at = std::size_t{reader.le16()} * 4 % kRamSize;
        __atomic_store_n(reinterpret_cast<std::uint32_t*>(&ram[at]), reader.le32(), __ATOMIC_RELEASE);
      }
    }
  }

  guest::Memory& memory_;
  Bytes script_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// The machine, and one step of its guest or devices at a time.
class Fuzzed {
 public:
  explicit Fuzzed(ByteView input) : input_(input), controller_({.ports = 3}, *memory_, pin_, time_) {}
  ~Fuzzed() {
    for (FakeDevice* device : plugged_) controller_.detach(*device);
  }

  void run() {
    const std::uint8_t flavour = input_.u8();
    plug(Speed::full);
    plug(Speed::low);
    driver_.start();
    for (const unsigned port : {1u, 2u}) driver_.enable_port(port);
    if ((flavour & 1) != 0) {
      set_up_properly();
    } else {
      fill_memory();
    }
    // A thread costs more than all the rest of a run.
    const bool threaded = (flavour & 0xf0) == 0xf0;
    const Scribbler scribbler(*memory_, threaded ? input_.rest() : ByteView());
    for (std::size_t i = 0; i < kMaxSteps && input_.remaining() > 0; ++i) {
      step();
      time_.run_until_idle(16);
    }
  }

  void prove_alive() {
    for (FakeDevice* device : plugged_) controller_.detach(*device);
    plugged_.clear();
    FakeDevice device(time_, Speed::full);
    Driver driver(controller_, *memory_);
    driver.start();
    driver.clear_status(0x1f);
    PERIPLEX_CHECK(controller_.attach(device) == PortNumber(1));
    driver.enable_port(1);
    const GuestAddress queue = driver.add_queue(driver.asynchronous());
    const auto tds = driver.queue_control(queue, 0, {.request = 5, .value = 3});
    time_.advance(std::chrono::milliseconds(20));
    PERIPLEX_CHECK(!driver.active(tds.back()) && !driver.stalled(tds.back()));
    controller_.detach(device);
  }

 private:
  /// Memory is the input, again and again.
  void fill_memory() {
    const ByteView bytes = input_.rest();
    for (std::size_t at = 0; at < kRamSize && !bytes.empty(); at += bytes.size()) {
      (void)memory_->write(GuestAddress(at), bytes.first(std::min(bytes.size(), kRamSize - at)));
    }
  }

  void set_up_properly() {
    for (std::uint16_t address = 1; address <= 2; ++address) {
      queues_.push_back(driver_.add_queue(driver_.asynchronous()));
      driver_.queue_control(queues_.back(), 0, {.request = 5, .value = address});
      time_.advance(std::chrono::milliseconds(20));
    }
    for (unsigned i = 0; i < 4; ++i) {
      queues_.push_back(driver_.add_queue(i < 2 ? driver_.asynchronous() : driver_.interrupt()));
      const Packet whole{.pid = i % 2 == 0 ? kPidIn : kPidOut,
                         .device = 1,
                         .endpoint = 1 + i,
                         .buffer = GuestAddress(0x20000),
                         .length = i % 2 == 0 ? 512u : 2048u};
      descriptors_ = driver_.queue_data_set(queues_.back(), whole, 64);
    }
    for (unsigned frame = 0; frame < 64; ++frame) {
      const GuestAddress entry = driver_.frame_entry(frame);
      Packet packet{.device = 1, .endpoint = 6, .buffer = GuestAddress(0x21000), .length = 100, .isochronous = true};
      packet.pid = frame < 32 ? kPidIn : kPidOut;
      driver_.write32(entry, static_cast<std::uint32_t>(driver_.make(packet, driver_.read32(entry)).value));
    }
  }

  void step() {
    const std::uint8_t what = input_.u8();
    switch (what & 0xf) {
      case 0:
        return write_register();
      case 1:
        (void)driver_.in16(input_.u8() & 0x3f);
        return;
      case 2:
        return driver_.out16(0, input_.u8());
      case 3:
        return mutate(GuestAddress{std::uint64_t{input_.le16()} << 2});
      case 4:
        return relink(what >> 4);
      case 5:
        return rewrite_descriptor(what >> 4);
      case 6:
      case 7:
        return complete(what >> 4);
      case 8:
        return driver_.write_portsc(1 + (what >> 4) % 3, input_.le16());
      case 9:
        return plug_or_unplug(what >> 4);
      case 10:
        if (FakeDevice& device = *devices_[(what >> 4) % devices_.size()]; device.wake_up) device.wake_up();
        return;
      case 11:
        return time_.stall(Microseconds(std::uint64_t{1} << (what >> 4)));
      case 12:
        if (what == 0xfc) controller_.power_on_reset();
        return driver_.run();
      case 13:
        return disturb(*devices_[(what >> 4) % devices_.size()]);
      default:
        return time_.advance(Microseconds(std::uint64_t{16} << (what >> 4 & 7)));
    }
  }

  void write_register() {
    const std::uint32_t offset = input_.u8() & 0x3f;
    controller_.write(offset, input_.take(std::min<std::size_t>(1u << (input_.u8() & 3), input_.remaining())));
  }
  void mutate(GuestAddress at) {
    (void)memory_->write(at, input_.take(std::min<std::size_t>(input_.u8() & 0x1f, input_.remaining())));
  }
  /// A link of the schedule that leads to somewhere else in it.
  void relink(unsigned which) {
    const auto place = [&](unsigned choice) {
      if (queues_.empty() || choice % 4 == 0) return GuestAddress{std::uint64_t{input_.le16()} << 2 & (kRamSize - 16)};
      if (choice % 4 == 1) return driver_.frame_entry(input_.u8());
      if (choice % 4 == 2) return queues_[input_.u8() % queues_.size()];
      return descriptors_[input_.u8() % descriptors_.size()];
    };
    const GuestAddress at = place(which & 3);
    driver_.write32(at, (static_cast<std::uint32_t>(place(which >> 2).value) & ~0xfu) | (input_.u8() & 0x7));
  }
  void rewrite_descriptor(unsigned which) {
    if (descriptors_.empty()) return;
    const GuestAddress at = descriptors_[which % descriptors_.size()];
    driver_.write32(at + 4, input_.le32() | 1u << 23);
    if ((which & 8) != 0) driver_.write32(at + 8, input_.le32());
    if ((which & 4) != 0) driver_.write32(at + 12, input_.le32() & 0x4ffff);
  }

  /// Ends the oldest transfer of an endpoint, as the contract of `Device` asks.
  void complete(unsigned which) {
    FakeDevice& device = *devices_[which % devices_.size()];
    if (device.held() == 0) return;
    std::size_t index = input_.u8() % device.held();
    const EndpointAddress endpoint = device.at(index).endpoint();
    for (index = 0; device.at(index).endpoint() != endpoint;) ++index;
    const std::uint8_t how = input_.u8();
    Transfer& transfer = device.at(index);
    const auto size = static_cast<std::uint32_t>(transfer.data.size());
    for (IsochronousPacket& packet : transfer.packets) {
      packet.actual = std::min<std::uint32_t>(how * 4u, packet.length);
      packet.status = static_cast<Status>((how & 7) % 6);
    }
    const std::uint32_t actual = (how & 8) != 0 ? size : std::min<std::uint32_t>(input_.le16(), size);
    device.complete_at(index, {static_cast<Status>((how & 7) % 6), actual});
  }
  void plug(Speed speed) {
    auto device = std::make_unique<FakeDevice>(time_, speed);
    if (controller_.attach(*device)) plugged_.push_back(device.get());
    devices_.push_back(std::move(device));
  }
  void plug_or_unplug(unsigned which) {
    if ((which & 1) != 0 && !plugged_.empty()) {
      const auto victim = plugged_.begin() + static_cast<std::ptrdiff_t>(which / 2 % plugged_.size());
      controller_.detach(**victim);
      plugged_.erase(victim);
    } else if (devices_.size() < 10) {
      plug((which & 2) != 0 ? Speed::low : Speed::full);
    }
  }
  static void disturb(FakeDevice& device) {
    device.answers_cancels = !device.answers_cancels;
    device.answer_cancels();
  }

  ByteReader input_;
  RecordedPin pin_;
  periplex::testing::VirtualTime time_;
  std::unique_ptr<guest::Memory> memory_ = guest::testing::make_ram(kRamSize);
  std::vector<std::unique_ptr<FakeDevice>>
      devices_;  // what they hold goes back to the controller, which is still there
  Controller controller_;
  Driver driver_{controller_, *memory_};
  std::vector<GuestAddress> queues_;
  std::vector<GuestAddress> descriptors_;
  std::vector<FakeDevice*> plugged_;
};

}  // namespace
}  // namespace periplex::usb::uhci

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::usb::uhci::Fuzzed fuzzed(std::as_bytes(std::span(data, size)));
  fuzzed.run();
  fuzzed.prove_alive();
  return 0;
}

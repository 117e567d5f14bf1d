// SPDX-License-Identifier: Apache-2.0
// The controller against a guest that does anything: schedules that are nothing but the input's bytes, or that a driver
// has set up properly before everything of them is mutated, by steps of the input or by a second thread meanwhile.
//
// Beside what the sanitizers see, every run ends with a proof that the controller still lives: after a host controller
// reset and a new start it answers the doorbell.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "base/check.hpp"
#include "usb/ehci/testing/rig.hpp"

namespace periplex::usb::ehci {
namespace {

using guest::GuestAddress;
using testing::Driver;
using testing::FakeCompanion;
using testing::Pid;
using usb::testing::FakeDevice;

constexpr std::size_t kRamSize = 0x40000;
constexpr std::size_t kMaxSteps = 300;
constexpr std::size_t kTasksPerStep = 8;
constexpr std::uint64_t kDriverMemory = 0x10000;  // where the driver begins to allocate
constexpr unsigned kPorts = 3;
constexpr std::array kSpeeds{Speed::high, Speed::full, Speed::low, Speed::high};

/// Writes bytes of the input into the guest's memory until it is told to stop, as another processor would.
class Rewriter {
 public:
  Rewriter(MutableByteView ram, ByteView source)
      : thread_([this, ram, source] {
          std::size_t at = 0;
          for (std::size_t i = 0; !done_.load(std::memory_order_relaxed); ++i) {
            at = (at * 5 + std::to_integer<std::size_t>(source[i % source.size()]) * 4 + 1) % (ram.size() / 4);
            std::uint32_t word = 0;
            for (unsigned k = 0; k < 4; ++k) {
              word = word << 8 | std::to_integer<std::uint32_t>(source[(i + k) % source.size()]);
            }
            __atomic_store_n(reinterpret_cast<std::uint32_t*>(ram.data()) + at, word, __ATOMIC_RELAXED);
          }
        }) {}
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;
  ~Rewriter() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

class Fuzzed {
 public:
  explicit Fuzzed(ByteView input)
      : input_(input),
        backing_(std::make_shared<guest::testing::VectorBacking>(kRamSize)),
        controller_({.ports = kPorts, .verification = {.data = !input.empty() && input.size() % 2 == 0}},
                    {{&companion_, PortNumber(1)}, {&companion_, PortNumber(2)}}, map_ram(), pin_, time_),
        driver_(controller_, memory_) {}

  ~Fuzzed() {
    for (FakeDevice* device : plugged_) controller_.detach(*device);
  }

  void run() {
    const std::uint8_t flavour = input_.u8();
    plug(Speed::high);
    if ((flavour & 1) != 0) {
      set_up_properly();
    } else {
      set_up_raw();
    }
    {
      std::optional<Rewriter> rewriter;
      if ((flavour & 6) == 6 && input_.remaining() > 0) rewriter.emplace(backing_->bytes(), input_.rest());
      for (std::size_t i = 0; i < kMaxSteps && input_.remaining() > 0; ++i) {
        step();
        time_.run_until_idle(kTasksPerStep);
      }
    }
    prove_alive();
  }

 private:
  guest::Memory& map_ram() {
    (void)memory_.map(GuestAddress(0), kRamSize, backing_, 0, true);
    return memory_;
  }

  /// Memory is the input, again and again; the registers point into it.
  void set_up_raw() {
    const ByteView bytes = input_.rest();
    for (std::size_t at = 0; at < kRamSize && !bytes.empty(); at += bytes.size()) {
      const std::size_t length = std::min(bytes.size(), kRamSize - at);
      std::ranges::copy(bytes.first(length), backing_->bytes().begin() + static_cast<std::ptrdiff_t>(at));
    }
    driver_.write_reg(Driver::kPeriodiclistbase, std::uint32_t{input_.u8() & 0x3fu} << 12);
    driver_.write_reg(Driver::kAsynclistaddr, std::uint32_t{input_.le16()} << 5);
    driver_.write_reg(Driver::kConfigflag, 1);
    driver_.command(Driver::kRun | Driver::kAsyncEnable | Driver::kPeriodicEnable);
    for (unsigned port = 1; port <= kPorts; ++port) driver_.reset_port(port);
  }

  void set_up_properly() {
    driver_.start();
    for (unsigned port = 1; port <= kPorts; ++port) driver_.reset_port(port);
    data_ = driver_.allocate(0x8000, 4096);
    queues_.push_back(driver_.add_queue({.address = 0, .endpoint = 0, .packet_size = 64}));
    for (const unsigned endpoint : {1u, 2u}) queues_.push_back(driver_.add_queue({.endpoint = endpoint}));
    queues_.push_back(driver_.add_queue({.endpoint = 3, .packet_size = 8, .s_mask = 1}));
    driver_.schedule(queues_.back(), 4);
  }

  void step() {
    const std::uint8_t what = input_.u8();
    const unsigned which = what >> 4;
    switch (what & 0xf) {
      case 0:
        return write_anywhere();
      case 1:
        return read_anywhere();
      case 2:
        return write_known_register(which);
      case 3:
        return mutate_memory(GuestAddress(std::uint64_t{input_.le16()} << 2));
      case 4:
        return mutate_structure(which);
      case 5:
        return queue_data(which);
      case 6:
        return queue_control(which);
      case 7:
      case 8:
        return complete(which);
      case 9:
        return plug_or_unplug(which);
      case 10:
      case 11:
        return time_.advance(Microseconds(std::uint64_t{1} << which));
      case 12:
        return driver_.write_portsc(1 + which % kPorts, input_.le32());
      case 13:
        return add_itd(which);
      case 14:
        return disturb(which);
      default:
        return driver_.command(Driver::kDoorbell);
    }
  }

  void write_anywhere() {
    const std::uint32_t offset = input_.le16() % (Controller::kRegisterSpace + 8);
    controller_.write(offset, input_.take(std::min<std::size_t>(1u << (input_.u8() & 3), input_.remaining())));
  }
  void read_anywhere() {
    Bytes out(std::size_t{1} << (input_.u8() & 3));
    controller_.read(input_.le16() % (Controller::kRegisterSpace + 8), out);
  }
  void write_known_register(unsigned which) {
    constexpr std::array kNames{Driver::kUsbcmd,           Driver::kUsbsts,        Driver::kUsbintr,   Driver::kFrindex,
                                Driver::kPeriodiclistbase, Driver::kAsynclistaddr, Driver::kConfigflag};
    const std::uint32_t value = (which & 8) != 0 ? input_.le32() : input_.le16();
    driver_.write_reg(kNames[which % kNames.size()], value);
  }
  void mutate_memory(GuestAddress at) {
    const ByteView bytes = input_.take(std::min<std::size_t>(input_.u8() & 0x1f, input_.remaining()));
    (void)memory_.write(at, bytes);
  }
  /// A word of what the driver has built, or a link from one of its structures to another.
  void mutate_structure(unsigned which) {
    const auto place = [&] { return GuestAddress(kDriverMemory + (std::uint64_t{input_.le16()} << 2) % 0x8000); };
    const GuestAddress at = place();
    if ((which & 3) == 0) return driver_.set_word(at, input_.le32());
    if ((which & 3) == 1)
      return driver_.set_word(at, static_cast<std::uint32_t>(place().value & ~0x1fu) | (which >> 2) << 1);
    driver_.set_word(at, driver_.word(at) ^ 1u << (input_.u8() & 31));
  }

  void queue_data(unsigned which) {
    if (queues_.empty()) return;
    const Driver::Queue& queue = queues_[1 + which % 3];
    const std::uint32_t size = input_.le16() & 0x3fff;
    const std::uint8_t how = input_.u8();
    if (!room_for(8)) return;
    std::vector<Driver::Item> items;
    for (unsigned i = 0; i <= (how & 3u); ++i) {
      items.push_back({.pid = (which & 4) != 0 ? Pid::in : Pid::out,
                       .buffer = data_ + (how & 0xf0u),
                       .length = size,
                       .interrupt = (how & 4) != 0,
                       .stops_when_short = (how & 8) != 0});
    }
    driver_.append(queue, items);
  }
  void queue_control(unsigned which) {
    if (queues_.empty() || !room_for(8)) return;
    const SetupPacket setup = SetupPacket::parse(input_.le64() & 0x00ff'ffff'ffff'ffff);
    driver_.control(queues_[which % 2 == 0 ? 0 : 1], setup, data_);
  }
  [[nodiscard]] bool room_for(unsigned structures) {
    allocated_ += structures;
    return allocated_ < 600;
  }

  void add_itd(unsigned which) {
    if (queues_.empty() || !room_for(2)) return;
    const GuestAddress itd = driver_.allocate(64);
    const GuestAddress entry = driver_.frame_entry(driver_.reg(Driver::kFrindex) / 8 + which % 12);
    driver_.set_word(itd, driver_.word(entry));
    const std::uint32_t control = input_.le32();
    for (unsigned slot = 0; slot < 8; ++slot) {
      if ((control >> slot & 1) != 0) driver_.set_word(itd + 4 + 4 * slot, control | 1u << 31);
    }
    const auto page = static_cast<std::uint32_t>(data_.value);
    driver_.set_word(itd + 36, page | (5u + (which & 1)) << 8);
    driver_.set_word(itd + 40, page | (which & 2) << 10 | (control & 0x7ff));
    driver_.set_word(itd + 44, page | 1);
    driver_.set_word(entry, static_cast<std::uint32_t>(itd.value));
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
    for (IsochronousPacket& packet : transfer.packets) packet.actual = std::min<std::uint32_t>(packet.length, how);
    device.complete_at(index, {static_cast<Status>((how & 7) % 6),
                               (how & 8) != 0 ? size : std::min<std::uint32_t>(input_.le16(), size)});
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
      if ((which & 8) != 0) {
        std::erase_if(devices_, [&](const auto& device) { return device.get() == *victim; });
      }
      plugged_.erase(victim);
    } else if (devices_.size() < 8) {
      plug(kSpeeds[which / 2 % kSpeeds.size()]);
    }
    if (devices_.empty()) plug(Speed::high);
  }
  void disturb(unsigned which) {
    FakeDevice& device = *devices_[which / 4 % devices_.size()];
    switch (which & 3) {
      case 0:
        device.answers_cancels = !device.answers_cancels;
        return device.answer_cancels();
      case 1:
        if (device.wake_up) device.wake_up();
        return;
      case 2:
        return driver_.reset_port(1 + which / 4 % kPorts);
      default:
        if (which == 15) controller_.reset();
        return;
    }
  }

  void prove_alive() {
    std::ranges::fill(backing_->bytes(), std::byte{0});
    driver_.start();
    driver_.command(Driver::kDoorbell);
    time_.run_until_idle(1000);
    PERIPLEX_CHECK((driver_.status() & (Driver::kAsyncAdvance | Driver::kHalted)) == Driver::kAsyncAdvance);
  }

  ByteReader input_;
  testing::Pin pin_;
  FakeCompanion companion_;
  periplex::testing::VirtualTime time_;
  guest::Memory memory_;
  std::shared_ptr<guest::testing::VectorBacking> backing_;
  Controller controller_;
  Driver driver_;
  std::vector<Driver::Queue> queues_;  // control, two of bulk, interrupt; none where nothing was set up
  GuestAddress data_;
  unsigned allocated_ = 0;
  std::vector<std::unique_ptr<FakeDevice>> devices_;
  std::vector<FakeDevice*> plugged_;
};

}  // namespace
}  // namespace periplex::usb::ehci

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::usb::ehci::Fuzzed(std::as_bytes(std::span(data, size))).run();
  return 0;
}

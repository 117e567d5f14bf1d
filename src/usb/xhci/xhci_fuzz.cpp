// SPDX-License-Identifier: Apache-2.0
// The controller against a guest that does anything, in two flavours: rings and contexts that are nothing but the
// input's bytes, and a guest that a driver has set up properly before everything of it is mutated.
//
// Beside what the sanitizers see, every run ends with a proof that the controller still lives: once the devices have
// answered all cancels, a host controller reset ends.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/check.hpp"
#include "usb/xhci/testing/rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace testing;
using usb::testing::FakeDevice;

constexpr std::size_t kRamSize = 0x60000;
constexpr std::size_t kMaxSteps = 400;
constexpr std::size_t kTasksPerStep = 8;
constexpr std::array kSpeeds{Speed::low, Speed::full, Speed::high, Speed::super, Speed::super_plus};
constexpr std::uint32_t kOperational = 0x40;
constexpr unsigned kStreams = 7;  // DCI of a bulk IN endpoint with streams …
constexpr unsigned kMaxPStreams = 2;
constexpr unsigned kIsochOut = 8;
constexpr unsigned kIsochIn = 9;

/// The machine, and one step of its guest or devices at a time.
class Fuzzed : private RegisterAccess {
 public:
  explicit Fuzzed(ByteView input)
      : input_(input),
        backing_(std::make_shared<guest::testing::VectorBacking>(kRamSize)),
        ram_(backing_->bytes()),
        controller_({.slots = 4, .interrupters = 3}, map_ram(), interrupts_, time_),
        driver_(*this, ram_, {.interrupters = 2, .event_segments = 2, .event_trbs = 16, .command_trbs = 16}) {}

  void run() {
    const std::uint8_t flavour = input_.u8();
    interrupts_.messages_enabled = (flavour & 2) != 0;
    for (const Speed speed : {Speed::high, Speed::super}) plug(speed);
    if ((flavour & 1) != 0) {
      set_up_properly();
    } else {
      set_up_raw((flavour & 4) != 0);
    }
    for (std::size_t i = 0; i < kMaxSteps && input_.remaining() > 0; ++i) {
      step();
      time_.run_until_idle(kTasksPerStep);
    }
    prove_alive();
  }

 private:
  [[nodiscard]] std::uint32_t read32(std::uint32_t offset) override {
    std::uint32_t value = 0;
    controller_.read(offset, MutableByteView(reinterpret_cast<std::byte*>(&value), sizeof value));
    return value;
  }
  void write32(std::uint32_t offset, std::uint32_t value) override {
    controller_.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }
  void write64(std::uint32_t offset, std::uint64_t value) override {
    controller_.write(offset, ByteView(reinterpret_cast<const std::byte*>(&value), sizeof value));
  }
  void wait() override { time_.run_until_idle(kTasksPerStep); }

  guest::Memory& map_ram() {
    (void)memory_.map(GuestAddress(0), kRamSize, backing_, 0, true);
    return memory_;
  }

  /// Memory is the input, again and again; the registers point into it. With `event_ring` events have a place to go.
  void set_up_raw(bool event_ring) {
    const ByteView bytes = input_.rest();
    for (std::size_t at = 0; at < kRamSize && !bytes.empty(); at += bytes.size()) {
      const std::size_t length = std::min(bytes.size(), kRamSize - at);
      std::memcpy(ram_.bytes(GuestAddress(at), length).data(), bytes.data(), length);
    }
    write32(kOperational + 0x38, 4);
    write64(kOperational + 0x30, std::uint64_t{input_.le16()} << 6);
    write64(kOperational + 0x18, std::uint64_t{input_.le16()} << 6 | 1);
    if (event_ring) {
      const EventConsumer events(ram_, 1, 64);
      write32(driver_.interrupter(0, 0x08), 1);
      write64(driver_.interrupter(0, 0x10), events.table().value);
    }
    for (unsigned port = 1; port <= 8; ++port) driver_.write_portsc(port, 1u << 4);
    driver_.run();
  }

  void set_up_properly() {
    driver_.start();
    data_ = ram_.allocate(0x4000);
    for (const unsigned port : {1u, 5u}) {
      driver_.write_portsc(port, 1u << 4);
      (void)driver_.drain();
      const unsigned slot = driver_.enable_slot().slot;
      (void)driver_.address_device(slot, port);
      (void)driver_.configure(
          slot,
          std::array{EndpointSetup{.dci = 2, .type = 2, .ring_segments = 2, .ring_trbs = 16},
                     EndpointSetup{.dci = 3, .type = 6, .ring_trbs = 32},
                     EndpointSetup{.dci = 5, .type = 7, .ring_trbs = 16},
                     EndpointSetup{.dci = kStreams, .type = 6, .ring_trbs = 16, .max_primary_streams = kMaxPStreams},
                     EndpointSetup{.dci = kIsochOut, .type = 1, .interval = 0},
                     EndpointSetup{.dci = kIsochIn, .type = 5, .interval = 3}});
    }
  }

  void step() {
    const std::uint8_t what = input_.u8();
    switch (what & 0xf) {
      case 0:
        return write_register();
      case 1:
        return read_register();
      case 2:
        return write_known_register(what >> 4);
      case 3:
        return mutate_memory(GuestAddress(std::uint64_t{input_.le16()} << 2 | (what >> 4 & 3)));
      case 4:
        return mutate_trb();
      case 5:
        return mutate_context(what >> 4);
      case 6:
        return ring(what >> 4 & 7);
      case 7:
        return queue_transfer(what >> 4);
      case 8:
        return queue_command(what >> 4);
      case 9:
        return complete(what >> 4);
      case 10:
        return plug_or_unplug(what >> 4);
      case 11:
        return time_.advance(Microseconds(std::uint64_t{1} << (what >> 4)));
      case 12:
        return driver_.write_portsc(1 + (what >> 4 & 7), input_.le32());
      case 13:
        return acknowledge(what >> 4);
      case 14:
        return disturb(what >> 4);
      default:
        return time_.run_until_idle(kTasksPerStep);
    }
  }

  void write_register() {
    const std::uint32_t offset = input_.le16() % (Controller::kRegisterSpace + 8);
    const ByteView value = input_.take(std::min<std::size_t>(1u << (input_.u8() & 3), input_.remaining()));
    controller_.write(offset, value);
  }
  void read_register() {
    Bytes out(std::size_t{1} << (input_.u8() & 3));
    controller_.read(input_.le16() % (Controller::kRegisterSpace + 8), out);
  }
  /// Registers by name, so that the input does not have to guess offsets.
  void write_known_register(unsigned index) {
    constexpr std::array<std::uint32_t, 8> kNames{0x40, 0x44, 0x58, 0x70, 0x78, 0x1028, 0x1030, 0x1038};
    const std::uint32_t offset = kNames[index & 7];
    if ((index & 8) != 0) return write32(offset, input_.le32());
    write64(offset, input_.le16());
  }
  void mutate_memory(GuestAddress at) {
    const ByteView bytes = input_.take(std::min<std::size_t>(input_.u8() & 0x1f, input_.remaining()));
    if (at.value + bytes.size() <= kRamSize) std::ranges::copy(bytes, ram_.bytes(at, bytes.size()).begin());
  }
  /// A TRB that looks right at first sight, anywhere.
  void mutate_trb() {
    const GuestAddress at{std::uint64_t{input_.le16()} << 4 & (kRamSize - 1)};
    ram_.write(at, std::uint64_t{input_.le16()} << 4);
    ram_.write(at + 8, std::uint32_t{input_.le16()});
    const std::uint32_t type = input_.u8() & 0x3f;
    ram_.write(at + 12, type << 10 | (std::uint32_t{input_.u8()} & 0x3ff) | std::uint32_t{input_.u8()} << 16);
  }
  void mutate_context(unsigned which) {
    const unsigned slot = 1 + (which & 1);
    if (driver_known(slot)) {
      const GuestAddress base = (which & 2) != 0 ? driver_.output_context(slot) : driver_.input_context(slot);
      ram_.write(base + (std::uint64_t{input_.u8()} * 4), input_.le32());
    }
  }
  [[nodiscard]] bool driver_known(unsigned slot) const { return data_.value != 0 && slot <= 2; }

  void queue_transfer(unsigned which) {
    const unsigned slot = 1 + (which & 1);
    if (!driver_known(slot)) return;
    constexpr std::array<unsigned, 8> kDcis{1, 2, 3, 5, kStreams, kIsochOut, kIsochIn, kIsochOut};
    const unsigned dci = kDcis[which >> 1 & 7];
    const std::uint32_t length = input_.le16();
    const std::uint32_t flags = input_.u8();
    if (dci == kStreams) {
      const unsigned stream = 1 + flags % 7;
      driver_.streams(slot, dci).ring(stream).push(normal(data_, length & 0x1fff, flags & 0x274));
      return driver_.ring(slot, dci, stream);
    }
    if (dci == kIsochOut || dci == kIsochIn) return queue_isoch(slot, dci, length, flags);
    if (dci == 1) {
      driver_.queue_control(
          slot, {.request_type = static_cast<std::uint8_t>(flags), .length = static_cast<std::uint16_t>(length & 0xff)},
          data_);
    } else if ((flags & 1) != 0) {
      driver_.queue(slot, dci,
                    std::array{normal(data_, length & 0x1fff, flag::kChain | flag::kIsp), event_data(length)});
    } else {
      driver_.queue(slot, dci, normal(data_, length & 0x3fff, flags & 0x274));
    }
    driver_.ring(slot, dci);
  }
  /// A few TDs of one TRB or two, as soon as possible or for a frame that the input names.
  void queue_isoch(unsigned slot, unsigned dci, std::uint32_t length, std::uint32_t flags) {
    const auto frame = (flags & 1) != 0 ? std::optional<std::uint32_t>(length >> 5) : std::nullopt;
    for (unsigned i = 0; i <= (flags >> 1 & 7); ++i) {
      if ((flags & 0x10) != 0) {
        driver_.queue(slot, dci, std::array{isoch(data_, length & 0x3ff, flag::kChain, frame), normal(data_, i)});
      } else {
        driver_.queue(slot, dci, isoch(data_, length & 0x3ff, flags & 0x264, frame));
      }
    }
    driver_.ring(slot, dci);
  }
  void ring(unsigned slot) {
    const unsigned target = input_.u8();
    driver_.ring(slot, target & 0x1f, target >> 5);
  }
  void queue_command(unsigned which) {
    if (data_.value == 0) return driver_.ring(0, 0);
    const auto type = static_cast<TrbType>(9 + (which & 0xf));
    const unsigned slot = input_.u8() & 7;
    const unsigned target = input_.u8();
    const unsigned dci = target & 0x1f;
    const unsigned stream = target >> 5;
    const bool known = driver_known(slot) && slot != 0;
    const std::uint64_t input = known ? driver_.input_context(slot).value : input_.le16();
    if (known && input_.u8() % 4 != 0) {
      const std::uint32_t drop = input_.le32();
      driver_.write_input_control(slot, drop, input_.le32());
    }
    Trb trb = command(type, slot, dci, input, (input_.u8() & 1u) << 9);
    if (type == TrbType::set_tr_dequeue_pointer_command && known && dci == kStreams && stream != 0) {
      trb.parameter = driver_.streams(slot, dci).dequeue(stream);
      trb.status = stream << 16;
    }
    driver_.queue_command(trb);
    driver_.ring_command_doorbell();
  }

  /// Ends the oldest transfer of an endpoint or stream, as the contract of `Device` asks.
  void complete(unsigned which) {
    FakeDevice& device = *devices_[which % devices_.size()];
    if (device.held() == 0) return;
    std::size_t index = input_.u8() % device.held();
    const EndpointAddress endpoint = device.at(index).endpoint();
    const std::uint16_t stream = device.at(index).stream;
    for (index = 0; device.at(index).endpoint() != endpoint || device.at(index).stream != stream;) ++index;
    const std::uint8_t how = input_.u8();
    Transfer& transfer = device.at(index);
    const auto size = static_cast<std::uint32_t>(transfer.data.size());
    const std::uint32_t actual = (how & 8) != 0 ? size : std::min<std::uint32_t>(input_.le16(), size);
    if (transfer.direction() == Direction::in) {
      for (const MutableByteView span : transfer.data.spans()) std::memset(span.data(), how, span.size());
    }
    for (IsochronousPacket& packet : transfer.packets) {
      const std::uint8_t outcome = input_.u8();
      packet.actual = (outcome & 0x80) != 0 ? packet.length : outcome;
      packet.status = static_cast<Status>((outcome & 0x70) == 0x70 ? outcome % 6 : 0);
    }
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
      if ((which & 8) != 0) {
        std::erase_if(devices_, [&](const auto& device) { return device.get() == *victim; });
      }
      plugged_.erase(victim);
    } else if (devices_.size() < 12) {
      plug(kSpeeds[which / 2 % kSpeeds.size()]);
    }
    if (devices_.empty()) plug(Speed::high);
  }
  void acknowledge(unsigned index) {
    if (data_.value == 0) return write64(driver_.interrupter(0, 0x18), std::uint64_t{input_.le16()} << 3);
    (void)driver_.drain(index & 1);
  }
  void disturb(unsigned which) {
    FakeDevice& device = *devices_[which / 4 % devices_.size()];
    switch (which & 3) {
      case 0:
        device.answers_cancels = !device.answers_cancels;
        device.answers_set_address = device.answers_cancels;
        return device.answer_cancels();
      case 1:
        if (device.wake_up) device.wake_up();
        return;
      case 2:
        interrupts_.messages_enabled = !interrupts_.messages_enabled;
        return controller_.interrupt_mode_changed();
      default:
        if (which == 15) controller_.power_on_reset();
        return;
    }
  }

  void prove_alive() {
    write32(kOperational, 1u << 1);  // HCRST
    for (unsigned i = 0; i < 4; ++i) {
      for (const auto& device : devices_) device->answer_cancels();
      time_.run_until_idle(1000);
    }
    PERIPLEX_CHECK((read32(kOperational + 4) & ~(1u << 4)) == 1);  // HCH, perhaps PCD
    for (FakeDevice* device : plugged_) controller_.detach(*device);
  }

  ByteReader input_;
  RecordedSink interrupts_;
  periplex::testing::VirtualTime time_;
  guest::Memory memory_;
  std::shared_ptr<guest::testing::VectorBacking> backing_;
  GuestRam ram_;
  Controller controller_;
  Driver driver_;
  GuestAddress data_;  // of the driver's transfers; zero where nothing was set up
  std::vector<std::unique_ptr<FakeDevice>> devices_;
  std::vector<FakeDevice*> plugged_;
};

}  // namespace
}  // namespace periplex::usb::xhci

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::usb::xhci::Fuzzed(std::as_bytes(std::span(data, size))).run();
  return 0;
}

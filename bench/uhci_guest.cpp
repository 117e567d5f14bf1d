// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <deque>

#include "bench/controller_guest.hpp"
#include "guest/testing/ram.hpp"
#include "usb/uhci/controller.hpp"
#include "usb/uhci/testing/driver.hpp"

namespace periplex::bench {
namespace {

using guest::GuestAddress;
using usb::Direction;
using namespace usb::uhci::testing;

constexpr std::size_t kRamSize = std::size_t{16} << 20;
constexpr unsigned kAddress = 5;
constexpr unsigned kEndpoint = 1;
constexpr std::uint32_t kPacket = 64;
constexpr std::uint32_t kLargestDataSet = 128 * 1024;
constexpr unsigned kSlots = 8;
constexpr std::size_t kRingPackets = std::size_t{kSlots} * kLargestDataSet / kPacket;
constexpr std::uint32_t kDescriptorSize = 16;
constexpr std::uint16_t kAllStatus = 0x3f;
constexpr Nanoseconds kFrame = std::chrono::milliseconds(1);

/// A queue whose descriptors stand in a ring: the one behind the last that is queued is not active.
class Ring {
 public:
  Ring(Driver& driver, Direction direction) : driver_(driver), pid_(direction == Direction::in ? kPidIn : kPidOut) {
    base_ = driver.allocate(kRingPackets * kDescriptorSize);
    for (std::size_t i = 0; i < kRingPackets; ++i) driver.rewrite(at(i), {.pid = pid_, .active = false}, link(i));
    driver.set_element(driver.add_queue(driver.asynchronous()), static_cast<std::uint32_t>(base_.value));
  }

  void add(GuestAddress buffer, std::uint32_t bytes) {
    for (std::uint32_t offset = 0; offset < bytes; offset += kPacket) {
      const std::uint32_t length = std::min(kPacket, bytes - offset);
      const bool last = offset + length == bytes;
      driver_.rewrite(at(next_),
                      {.pid = pid_,
                       .device = kAddress,
                       .endpoint = kEndpoint,
                       .buffer = buffer + offset,
                       .length = length,
                       .interrupt_on_complete = last,
                       .short_packet_detect = !last},
                      link(next_));
      if (last) waiting_.push_back(at(next_));
      next_ = (next_ + 1) % kRingPackets;
    }
  }

  [[nodiscard]] unsigned take_ended() {
    unsigned ended = 0;
    for (; !waiting_.empty() && !driver_.active(waiting_.front()); ++ended) waiting_.pop_front();
    return ended;
  }

 private:
  [[nodiscard]] GuestAddress at(std::size_t index) const { return base_ + index * kDescriptorSize; }
  [[nodiscard]] std::uint32_t link(std::size_t index) const {
    return static_cast<std::uint32_t>(at((index + 1) % kRingPackets).value) | Driver::kDepthFirst;
  }

  Driver& driver_;
  std::uint8_t pid_;
  GuestAddress base_;
  std::size_t next_ = 0;
  std::deque<GuestAddress> waiting_;  // the last descriptor of each data set
};

class UhciGuest final : public ControllerGuest, private pci::InterruptSink {
 public:
  explicit UhciGuest(EventLoop& loop)
      : loop_(loop), memory_(guest::testing::make_ram(kRamSize)), controller_({}, *memory_, *this, loop) {}

  [[nodiscard]] std::string_view name() const override { return "uhci"; }
  [[nodiscard]] std::uint32_t packet() const override { return kPacket; }
  [[nodiscard]] usb::Bus& bus() override { return controller_; }

  void bring_up() override {
    driver_.start();
    driver_.enable_port(1);
    const GuestAddress queue = driver_.add_queue(driver_.asynchronous());
    const auto stages = driver_.queue_control(queue, 0, {.request = 5, .value = kAddress});
    while (driver_.active(stages.back())) loop_.run_once(kFrame);
    driver_.set_element(queue, Driver::kTerminate);
    for (const Direction direction : {Direction::out, Direction::in}) rings_.emplace_back(driver_, direction);
    for (GuestAddress& buffer : buffers_) buffer = driver_.allocate(kLargestDataSet, 0x1000);
    driver_.clear_status(kAllStatus);
  }

  void queue(Direction direction, std::uint32_t bytes, unsigned slot) override {
    rings_[static_cast<std::size_t>(direction)].add(buffers_[slot], bytes);
  }
  [[nodiscard]] unsigned take_ended() override {
    driver_.clear_status(kAllStatus);
    return rings_[0].take_ended() + rings_[1].take_ended();
  }
  void set_running(bool running) override { running ? driver_.run() : driver_.stop(); }

 private:
  // InterruptSink
  [[nodiscard]] bool message_signalled() const override { return false; }
  void send_message(unsigned) override {}
  void set_pin(bool asserted) override {
    if (asserted && !pin_) loop_.defer([this] { on_interrupt(); });
    pin_ = asserted;
  }

  EventLoop& loop_;
  std::unique_ptr<guest::Memory> memory_;
  bool pin_ = false;
  usb::uhci::Controller controller_;
  Driver driver_{controller_, *memory_};
  std::deque<Ring> rings_;  // by direction
  std::array<GuestAddress, kSlots> buffers_;
};

}  // namespace

std::unique_ptr<ControllerGuest> make_uhci_guest(EventLoop& loop) {
  return std::make_unique<UhciGuest>(loop);
}

}  // namespace periplex::bench

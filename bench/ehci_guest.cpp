// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <deque>

#include "bench/controller_guest.hpp"
#include "guest/testing/ram.hpp"
#include "usb/ehci/controller.hpp"
#include "usb/ehci/testing/driver.hpp"

namespace periplex::bench {
namespace {

using guest::GuestAddress;
using usb::Direction;
using namespace usb::ehci::testing;

constexpr std::size_t kRamSize = std::size_t{16} << 20;
constexpr unsigned kAddress = 5;
constexpr unsigned kEndpoint = 1;
constexpr std::uint32_t kPerDescriptor = 16 * 1024;
constexpr std::uint32_t kLargestDataSet = 128 * 1024;
constexpr unsigned kSlots = 8;
constexpr std::size_t kRingDescriptors = std::size_t{kSlots} * kLargestDataSet / kPerDescriptor;
constexpr std::uint32_t kDescriptorSize = 32;
constexpr std::uint32_t kPage = 4096;
constexpr Nanoseconds kSettle = std::chrono::milliseconds(20);

// qTD (EHCI 1.0 §3.5): offsets, and the token's bits
constexpr std::uint32_t kNext = 0;
constexpr std::uint32_t kAlternate = 4;
constexpr std::uint32_t kToken = 8;
constexpr std::uint32_t kBuffers = 12;
constexpr std::uint32_t kThreeErrors = 3u << 10;
constexpr std::uint32_t kInterruptOnComplete = 1u << 15;
constexpr std::uint32_t kOverlayNext = 0x10;  // in a queue head

/// A queue whose descriptors stand in a ring: the one behind the last that is queued is not active.
class Ring {
 public:
  Ring(Driver& driver, Direction direction) : driver_(driver), direction_(direction) {
    base_ = driver.allocate(kRingDescriptors * kDescriptorSize);
    for (std::size_t i = 0; i < kRingDescriptors; ++i) {
      driver.set_word(at(i) + kNext, static_cast<std::uint32_t>(at((i + 1) % kRingDescriptors).value));
      driver.set_word(at(i) + kAlternate, Driver::kTerminate);
    }
    const Driver::Queue queue = driver.add_queue({.address = kAddress, .endpoint = kEndpoint});
    driver.set_word(queue.head + kOverlayNext, static_cast<std::uint32_t>(base_.value));
  }

  void add(GuestAddress buffer, std::uint32_t bytes) {
    for (std::uint32_t offset = 0; offset < bytes; offset += kPerDescriptor) {
      const std::uint32_t length = std::min(kPerDescriptor, bytes - offset);
      const bool last = offset + length == bytes;
      for (std::uint32_t page = 0; page * kPage < length; ++page) {
        driver_.set_word(at(next_) + kBuffers + page * 4,
                         static_cast<std::uint32_t>((buffer + offset + page * kPage).value));
      }
      driver_.set_word(at(next_) + kToken, length << 16 | (last ? kInterruptOnComplete : 0) | kThreeErrors |
                                               (direction_ == Direction::in ? 1u << 8 : 0) | Driver::kActive);
      if (last) waiting_.push_back(at(next_));
      next_ = (next_ + 1) % kRingDescriptors;
    }
  }

  [[nodiscard]] unsigned take_ended() {
    unsigned ended = 0;
    for (; !waiting_.empty() && !driver_.active(waiting_.front()); ++ended) waiting_.pop_front();
    return ended;
  }

 private:
  [[nodiscard]] GuestAddress at(std::size_t index) const { return base_ + index * kDescriptorSize; }

  Driver& driver_;
  Direction direction_;
  GuestAddress base_;
  std::size_t next_ = 0;
  std::deque<GuestAddress> waiting_;  // the last descriptor of each data set
};

class EhciGuest final : public ControllerGuest, private pci::InterruptSink {
 public:
  explicit EhciGuest(EventLoop& loop)
      : loop_(loop), memory_(guest::testing::make_ram(kRamSize)), controller_({}, {}, *memory_, *this, loop) {}

  [[nodiscard]] std::string_view name() const override { return "ehci"; }
  [[nodiscard]] std::uint32_t packet() const override { return kPerDescriptor; }
  [[nodiscard]] usb::Bus& bus() override { return controller_; }

  void bring_up() override {
    driver_.start();
    driver_.reset_port(1);
    const Driver::Queue control = driver_.add_queue({.address = 0, .endpoint = 0, .packet_size = 64});
    driver_.control(control, {.request = 5, .value = kAddress});
    settle();
    driver_.take_out(control);
    for (const Direction direction : {Direction::out, Direction::in}) rings_.emplace_back(driver_, direction);
    for (GuestAddress& buffer : buffers_) buffer = driver_.allocate(kLargestDataSet, kPage);
    settle();
    driver_.acknowledge(driver_.status());
  }

  void queue(Direction direction, std::uint32_t bytes, unsigned slot) override {
    rings_[static_cast<std::size_t>(direction)].add(buffers_[slot], bytes);
  }
  [[nodiscard]] unsigned take_ended() override {
    driver_.acknowledge(driver_.status());
    return rings_[0].take_ended() + rings_[1].take_ended();
  }
  void set_running(bool running) override {
    running ? driver_.command(Driver::kRun) : driver_.command(0, Driver::kRun);
  }

 private:
  void settle() {
    const Nanoseconds begin = loop_.now();
    while (loop_.now() - begin < kSettle) loop_.run_once(Nanoseconds(0));
  }

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
  usb::ehci::Controller controller_;
  Driver driver_{controller_, *memory_};
  std::deque<Ring> rings_;  // by direction
  std::array<GuestAddress, kSlots> buffers_;
};

}  // namespace

std::unique_ptr<ControllerGuest> make_ehci_guest(EventLoop& loop) {
  return std::make_unique<EhciGuest>(loop);
}

}  // namespace periplex::bench

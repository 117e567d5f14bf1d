// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <stdexcept>

#include "bench/controller_guest.hpp"
#include "guest/testing/ram.hpp"
#include "usb/xhci/controller.hpp"
#include "usb/xhci/testing/driver.hpp"

namespace periplex::bench {
namespace {

using usb::Direction;
using usb::xhci::CompletionCode;
using namespace usb::xhci::testing;

constexpr std::size_t kRamSize = std::size_t{16} << 20;
constexpr unsigned kPort = 5;  // the first SuperSpeed port
constexpr unsigned kOut = 2;   // DCIs
constexpr unsigned kIn = 3;
constexpr std::uint32_t kTrbBytes = 64 * 1024;
constexpr std::uint32_t kLargestDataSet = 128 * 1024;
constexpr unsigned kSlots = 8;
constexpr unsigned kSuperSpeedControlPacket = 512;

class XhciGuest final : public ControllerGuest, private RegisterAccess, private pci::InterruptSink {
 public:
  explicit XhciGuest(EventLoop& loop)
      : loop_(loop),
        backing_(std::make_shared<guest::testing::VectorBacking>(kRamSize)),
        ram_(backing_->bytes()),
        controller_({}, map(), *this, loop),
        driver_(*this, ram_) {
    for (GuestAddress& buffer : buffers_) buffer = ram_.allocate(kLargestDataSet, 0x1'0000);
  }

  [[nodiscard]] std::string_view name() const override { return "xhci"; }
  [[nodiscard]] std::uint32_t packet() const override { return kTrbBytes; }
  [[nodiscard]] usb::Bus& bus() override { return controller_; }

  void bring_up() override {
    driver_.start();
    driver_.write_portsc(kPort, 1u << 9 | 1u << 4);  // port reset
    slot_ = driver_.enable_slot().slot;
    const std::array endpoints{EndpointSetup{.dci = kOut, .type = 2, .max_packet_size = 1024, .ring_trbs = 256},
                               EndpointSetup{.dci = kIn, .type = 6, .max_packet_size = 1024, .ring_trbs = 256}};
    if (driver_.address_device(slot_, kPort, false, kSuperSpeedControlPacket).code != CompletionCode::success ||
        driver_.configure(slot_, endpoints).code != CompletionCode::success) {
      throw std::runtime_error("the device does not come up behind xHCI");
    }
    (void)driver_.drain();
  }

  void queue(Direction direction, std::uint32_t bytes, unsigned slot) override {
    const unsigned dci = direction == Direction::in ? kIn : kOut;
    std::array<usb::xhci::Trb, kLargestDataSet / kTrbBytes> td;
    std::size_t count = 0;
    for (std::uint32_t at = 0; at < bytes; at += kTrbBytes) {
      const bool last = at + kTrbBytes >= bytes;
      td[count++] = normal(buffers_[slot] + at, std::min(kTrbBytes, bytes - at), last ? flag::kIoc : flag::kChain);
    }
    driver_.queue(slot_, dci, std::span(td).first(count));
    driver_.ring(slot_, dci);
  }

  [[nodiscard]] unsigned take_ended() override {
    unsigned ended = 0;
    while (driver_.poll()) ++ended;
    if (ended != 0) driver_.acknowledge();
    return ended;
  }

  void set_running(bool running) override {
    if (running) {
      driver_.run();
    } else {
      driver_.halt();
    }
  }

 private:
  guest::Memory& map() {
    (void)memory_.map(GuestAddress(0), kRamSize, backing_, 0, true);
    return memory_;
  }

  // RegisterAccess
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
  void wait() override { loop_.run_once(Nanoseconds(0)); }

  // InterruptSink
  [[nodiscard]] bool message_signalled() const override { return true; }
  void send_message(unsigned) override {
    loop_.defer([this] { on_interrupt(); });
  }
  void set_pin(bool) override {}

  EventLoop& loop_;
  std::shared_ptr<guest::testing::VectorBacking> backing_;
  guest::Memory memory_;
  GuestRam ram_;
  usb::xhci::Controller controller_;
  Driver driver_;
  std::array<GuestAddress, kSlots> buffers_;
  unsigned slot_ = 0;
};

}  // namespace

std::unique_ptr<ControllerGuest> make_xhci_guest(EventLoop& loop) {
  return std::make_unique<XhciGuest>(loop);
}

}  // namespace periplex::bench

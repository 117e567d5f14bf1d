// SPDX-License-Identifier: Apache-2.0
// A program for tests in guests: input_probe NODE COUNT opens /dev/input/NODE as a USB device, grabbed, asks it for
// reports as a machine's driver would, and prints the first COUNT that come.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "host/evdev_device.hpp"

namespace {

using namespace periplex;

constexpr std::size_t kRoom = 64;
constexpr Nanoseconds kStep = std::chrono::milliseconds(10);
constexpr usb::SetupPacket kConfigure{.request_type = 0x00, .request = 9, .value = 1};

class Driver final : private usb::TransferOwner {
 public:
  explicit Driver(EventLoop& loop) : loop_(loop) {}

  /// Asks, and waits for the answer.
  Bytes ask(usb::Device& device, usb::EndpointAddress endpoint, std::optional<usb::SetupPacket> setup) {
    usb::TransferOwner& owner = *this;
    const auto direction = setup ? usb::Direction::out : usb::Direction::in;
    auto transfer = std::make_unique<usb::Transfer>(owner, usb::TransferId(++last_id_), endpoint, direction,
                                                    usb::TransferData::room(setup ? 0 : kRoom));
    transfer->setup = setup;
    answer_.reset();
    device.submit(std::move(transfer));
    while (!answer_) loop_.run_once(kStep);
    return *answer_;
  }

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    answer_ = transfer->data.copy(completion.actual);
  }

  EventLoop& loop_;
  std::optional<Bytes> answer_;
  std::uint64_t last_id_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  EventLoop loop;
  Driver driver(loop);
  const auto description = host::read_evdev_description(argv[1]);
  if (!description) return std::fputs("that is no keyboard and no pointer\n", stderr), 1;
  const auto device = host::EvdevDevice::open(loop, *description, "probe", true, [] { std::puts("gone"); });
  if (!device) return std::fprintf(stderr, "%s\n", device.error().c_str()), 1;
  (void)driver.ask(**device, usb::EndpointAddress(0), kConfigure);
  std::puts("ready");
  std::fflush(stdout);
  for (long left = std::strtol(argv[2], nullptr, 10); left > 0; --left) {
    const Bytes report = driver.ask(**device, usb::device::HidDevice::kInterruptIn, std::nullopt);
    std::printf("%s\n", hex(report).c_str());
    std::fflush(stdout);
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A hostile device behind the other-speed adapter: its descriptors, how much it answers, when, and in which state. A
// guest submits and cancels meanwhile. Every transfer of the guest must come back exactly once.
#include <cstdlib>

#include "base/bytes.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/other_speed_device.hpp"
#include "usb/speed_translation.hpp"
#include "usb/testing/fake_device.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::usb {
namespace {

constexpr std::size_t kMostHeld = 64;
constexpr SetupPacket kGetConfiguration{.request_type = 0x80, .request = 6, .value = 0x0200, .index = 0, .length = 255};
constexpr SetupPacket kClearHalt{.request_type = 0x02, .request = 1, .value = 0, .index = 0x81, .length = 0};

class Scenario {
 public:
  explicit Scenario(ByteView input) : input_(input) {
    const Speed real = input_.u8() % 2 == 0 ? Speed::high : Speed::super;
    device_ = std::make_unique<testing::FakeDevice>(time_, real);
    adapter_ = std::make_unique<OtherSpeedDevice>(*device_, real == Speed::high ? Speed::full : Speed::high, time_);
    log_ = std::make_unique<testing::TransferLog>(*adapter_);
  }

  void run() {
    while (input_.ok() && input_.remaining() > 0) step();
    adapter_.reset();
    device_.reset();
    time_.run_until_idle();
    if (log_->outstanding() != 0 || log_->completed_inside_submit) std::abort();
  }

 private:
  void step() {
    const std::uint8_t what = input_.u8();
    const EndpointAddress endpoint(static_cast<std::uint8_t>(0x80 | (what >> 4)));
    switch (what % 8) {
      case 0:
        return configure();
      case 1:
      case 2:
        if (device_->held() < kMostHeld && log_->outstanding() < kMostHeld) last_ = log_->in(endpoint, input_.le16());
        return;
      case 3:
        return adapter_->cancel(last_);
      case 4:
        return answer();
      case 5:
        if (log_->outstanding() < kMostHeld) log_->control(kClearHalt);
        return;
      case 6:
        return adapter_->reset();
      default:
        return time_.run_until_idle();
    }
  }

  void configure() {
    const ByteView bytes = input_.take(std::min<std::size_t>(input_.u8(), input_.remaining()));
    log_->control(kGetConfiguration);
    for (std::size_t i = 0; i < device_->held(); ++i) {
      if (device_->at(i).endpoint() != EndpointAddress()) continue;
      const std::size_t fits = device_->at(i).data.write(0, bytes);
      device_->complete_at(i, {Status::ok, static_cast<std::uint32_t>(fits)});
      break;
    }
  }

  void answer() {
    const std::uint8_t status = input_.u8();
    if (device_->held() == 0) return;
    const std::size_t size = std::min<std::size_t>(input_.le16(), device_->at(0).data.size());
    device_->complete(static_cast<Status>(status % 6), static_cast<std::uint32_t>(size));
  }

  ByteReader input_;
  periplex::testing::VirtualTime time_;
  std::unique_ptr<testing::FakeDevice> device_;
  std::unique_ptr<OtherSpeedDevice> adapter_;
  std::unique_ptr<testing::TransferLog> log_;
  TransferId last_;
};

}  // namespace
}  // namespace periplex::usb

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  periplex::usb::Scenario({reinterpret_cast<const std::byte*>(data), size}).run();
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "loop/event_loop.hpp"
#include "usb/device.hpp"

namespace periplex::bench {

/// A device side that answers every request a fixed time after it has come, any number of them at once, and moves the
/// data by one copy: a peripheral at the far end of a link with that delay and no limit of its own.
class DelayedDevice final : public usb::Device {
 public:
  DelayedDevice(EventLoop& loop, usb::Speed speed, Nanoseconds delay);
  ~DelayedDevice() override;

  [[nodiscard]] usb::Speed speed() const override { return speed_; }
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override {}

  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  void set_delay(Nanoseconds delay) { delay_ = delay; }

 private:
  struct Held {
    usb::TransferPtr transfer;
    Nanoseconds due;
  };
  void answer_due();

  EventLoop& loop_;
  usb::Speed speed_;
  Nanoseconds delay_;
  std::unique_ptr<Timer> timer_;
  std::deque<Held> held_;
  Bytes memory_;
  std::uint64_t requests_ = 0;
};

}  // namespace periplex::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/time.hpp"
#include "usb/device.hpp"

namespace periplex::bench {

/// A SuperSpeed device that does what a disk whose image lies in the page cache does: each transfer is one copy between
/// its memory and the guest's. Its memory is gone through from begin to end, again and again.
class MemoryDevice final : public usb::Device {
 public:
  MemoryDevice(Scheduler& scheduler, std::size_t size) : scheduler_(scheduler), memory_(size) {}

  [[nodiscard]] usb::Speed speed() const override { return usb::Speed::super; }
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId) override {}  // all it holds ends within this turn of the loop
  void reset() override {}

 private:
  void work();
  [[nodiscard]] std::uint32_t move(usb::Transfer& transfer);

  Scheduler& scheduler_;
  Bytes memory_;
  std::size_t position_ = 0;
  std::vector<usb::TransferPtr> waiting_;
};

}  // namespace periplex::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/testing/virtual_time.hpp"
#include "usb/device/hid_device.hpp"
#include "usb/testing/transfer_log.hpp"

namespace periplex::usb::device::testing {

/// A guest's HID driver in tests: configures a device of type `Hid`, asks for reports, sends class requests.
template <typename Hid>
class HidBench {
 public:
  static constexpr std::size_t kRoom = 64;
  static constexpr Nanoseconds kInterval = std::chrono::milliseconds(8);  // the longest of any of our devices
  static constexpr SetupPacket kConfigure{.request_type = 0x00, .request = 9, .value = 1};

  explicit HidBench(Speed speed = Speed::high) : device(std::make_unique<Hid>("tested", speed, time)), log(*device) {}
  ~HidBench() { device.reset(); }  // the log must outlive the transfers

  void configure() { (void)ask(kConfigure); }

  /// What a control request is answered with, as hexadecimal text.
  std::string ask(const SetupPacket& setup, Bytes data = {}) {
    const TransferId id = log.control(setup, std::move(data));
    time.run_until_idle();
    const auto* entry = log.find(id);
    return entry->status == Status::ok ? hex(entry->data) : std::string(name(entry->status));
  }

  /// Asks for a report without waiting for it.
  TransferId poll() { return log.in(HidDevice::kInterruptIn, kRoom); }
  /// The report that `id` got; "-" if it is still pending.
  std::string report(TransferId id) {
    time.run_until_idle();
    const auto* entry = log.find(id);
    if (entry == nullptr) return "-";
    return entry->status == Status::ok ? hex(entry->data) : std::string(name(entry->status));
  }
  /// All reports that wait, oldest first.
  std::vector<std::string> drain() {
    std::vector<std::string> reports;
    while (true) {
      time.advance(kInterval);
      const TransferId id = poll();
      const std::string next = report(id);
      if (next == "-") {
        device->cancel(id);
        time.run_until_idle();
        return reports;
      }
      reports.push_back(next);
    }
  }

  periplex::testing::VirtualTime time;
  std::unique_ptr<Hid> device;
  usb::testing::TransferLog log;
};

}  // namespace periplex::usb::device::testing

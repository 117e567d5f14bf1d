// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "base/register_file.hpp"
#include "base/time.hpp"

namespace periplex::usb::xhci {

/// MFINDEX (xHCI 1.2 §5.5.1, §4.14.2): counts 125 µs while the controller runs, read from the clock when asked for.
///
/// A timer exists only where the guest asked for MFINDEX Wrap Events (USBCMD.EWE).
class MicroframeIndex {
 public:
  MicroframeIndex(RegisterFile& registers, std::uint32_t base, Scheduler& scheduler, std::function<void()> on_wrap);

  void start();
  void stop();
  void reset();
  void enable_wrap_event(bool enabled);
  /// What MFINDEX reads.
  [[nodiscard]] std::uint64_t now() const;
  /// The same without the wrap.
  [[nodiscard]] std::uint64_t count() const;
  /// How long until `count` has come to `target`, if the controller goes on running.
  [[nodiscard]] Nanoseconds until(std::uint64_t target) const;

 private:
  void arm();
  [[nodiscard]] Nanoseconds elapsed() const;

  Scheduler& scheduler_;
  std::function<void()> on_wrap_;
  std::unique_ptr<Timer> wrap_;
  bool running_ = false;
  bool wrap_event_ = false;
  Nanoseconds started_{};  // while running
  Nanoseconds counted_{};  // in earlier runs
};

}  // namespace periplex::usb::xhci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/time.hpp"
#include "usb/observed_device.hpp"

namespace periplex::usb {

/// Takes the bytes of a capture, in order.
class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  /// Takes all of `block`, or nothing and returns false; never waits.
  [[nodiscard]] virtual bool write(Bytes block) = 0;
};

/// Writes the transfers of every device it observes as a pcapng file that Wireshark opens.
///
/// Two packets a transfer, as Linux's usbmon gives them: the submission (with device-bound data) and the completion
/// (with guest-bound data). What the sink does not take is counted and reported at the end of the file.
class Capture final : public TransferObserver {
 public:
  struct Options {
    std::string_view application = "periplex";
    std::string_view interface_name = "usb";
    std::uint32_t snap_length = 64 * 1024;  ///< bytes of data kept of each transfer
    Nanoseconds clock_origin{};             ///< what the clock's zero is after 1970-01-01 UTC
  };

  Capture(const Clock& clock, CaptureSink& sink, const Options& options);
  /// Writes how many packets were dropped.
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  void on_submitted(const DeviceLabel& device, TransferType type, const Transfer& transfer) override;
  void on_completed(const DeviceLabel& device, TransferType type, const Transfer& transfer,
                    const Completion& completion) override;

 private:
  void write(Bytes block);

  const Clock& clock_;
  CaptureSink& sink_;
  std::uint32_t snap_length_;
  Nanoseconds clock_origin_;
  std::uint64_t packets_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace periplex::usb

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "usb/device/emulated_device.hpp"

namespace periplex::usb::device {

/// What makes one human interface device differ from another on the wire.
struct HidDescription {
  std::uint16_t product_id = 0;
  std::string_view product;
  std::uint8_t subclass = 0;  ///< 1: has a boot protocol (HID 1.11 §4.2)
  std::uint8_t protocol = 0;  ///< 1 keyboard, 2 mouse (§4.3)
  std::uint16_t report_size = 0;
  Microseconds interval{};
  std::span<const std::uint8_t> report_descriptor;  ///< must live for ever
};

/// A device of the HID class (HID 1.11) with one interrupt IN endpoint and no report ids.
///
/// A keyboard or pointer derives from it, queues its reports, and calls `reports_waiting`; each pending interrupt
/// transfer gets one, in order, and no two come closer together than the endpoint's interval, as on a bus: a guest's
/// input buffers are made for that. While the guest does not ask, they wait in the derived class, whose queue is
/// bounded. The idle rate (§7.2.4) needs a timer only while the guest has set one: operating systems do not, firmware
/// may.
class HidDevice : public EmulatedDevice {
 public:
  static constexpr EndpointAddress kInterruptIn{0x81};

 protected:
  /// `id` is the user's name for the device; its serial number follows from it.
  HidDevice(const HidDescription& hid, std::string_view id, Speed speed, Scheduler& scheduler);

  /// The Input report of the present state (GET_REPORT, idle rate).
  [[nodiscard]] virtual Bytes current_report() const = 0;
  /// Takes the oldest report that the guest has not got yet.
  virtual std::optional<Bytes> next_report() = 0;
  /// The guest begins to use the device, or begins anew: reports for whoever used it before are to be forgotten.
  virtual void restart_reports() = 0;
  /// SET_REPORT(Output); `false` if there is no such report or it has not the right length.
  virtual bool set_output_report(ByteView report) { return (void)report, false; }
  /// GET_REPORT(Output); empty if there is none.
  [[nodiscard]] virtual std::optional<Bytes> output_report() const { return std::nullopt; }

  /// Tells that `next_report` has something: wakes the guest if need be, and answers what it has asked for.
  void reports_waiting();
  /// Whether the guest wants reports as the boot protocol has them (§7.2.6).
  [[nodiscard]] bool boot_protocol() const { return boot_protocol_; }

  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override;
  [[nodiscard]] std::optional<Bytes> class_descriptor(const SetupPacket& setup) const override;
  void on_transfer(EndpointAddress endpoint) override;
  void on_configured(std::uint8_t value) override;
  void on_endpoint_halt_cleared(EndpointAddress) override { deliver(); }
  void on_reset() override;
  void on_resume() override { deliver(); }

 private:
  [[nodiscard]] ControlResult get_report(const SetupPacket& setup) const;
  [[nodiscard]] ControlResult set_report(const SetupPacket& setup, ByteView data);
  [[nodiscard]] ControlResult set_idle(const SetupPacket& setup);
  [[nodiscard]] ControlResult set_protocol(const SetupPacket& setup);
  [[nodiscard]] bool has_boot_protocol() const;
  void deliver();
  void wait_for_next_poll(Nanoseconds now);
  void start_idle_period();
  void forget_settings();

  const std::span<const std::uint8_t> report_descriptor_;
  bool boot_protocol_ = false;
  std::uint8_t idle_rate_ = 0;  // in 4 ms; 0 is "indefinite": a report only when something changes
  bool idle_period_over_ = false;
  std::unique_ptr<Timer> idle_timer_;
  const Nanoseconds interval_;
  Nanoseconds next_poll_{};            // no report before this
  std::unique_ptr<Timer> poll_timer_;  // armed only while the guest asks sooner than that
};

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "usb/device/emulated_device.hpp"
#include "usb/device/serial_line.hpp"

namespace periplex::usb::device {

/// A serial port: Abstract Control Model of the Communications Device Class (CDC 1.2, PSTN Subclass 1.2; cited as
/// CDC120 and PSTN120), which every operating system has a driver for. It is no modem: there are no AT commands.
///
/// *Guest-bound*: what the line has is handed out as soon as a transfer waits for it, and never before, so that what
/// the guest does not ask for stays with the sender. A transfer ends with what there is; it never waits to be full. If
/// that is a multiple of the packet's size, the transfer's end stands for the zero-length packet that a device has to
/// send then, because only a short packet tells the host that there is no more (USB 2.0 §5.8.3). No transfer brings
/// more than `kMostAtOnce`.
///
/// *Device-bound*: a transfer is pending until the line has taken all of it. One that is cancelled meanwhile ends after
/// a whole packet, because the host counts in packets; the part of it that the line has not taken yet is kept, at most
/// one packet, and goes first.
class Serial final : public EmulatedDevice, private SerialLine::Port {
 public:
  static constexpr EndpointAddress kNotification{1, Direction::in};
  static constexpr EndpointAddress kBulkOut{2, Direction::out};
  static constexpr EndpointAddress kBulkIn{3, Direction::in};
  /// The FIFO of a real port, so to speak. The bus holds real ports back; here all transfers that wait are answered at
  /// once, and that is more than a guest's driver can stop in time: Linux's cdc_acm has 16 of them waiting and ends
  /// that only when the terminal behind it, which holds 4 KiB, is full. What comes then piles up until it is dropped.
  /// Sixteen times this fits.
  static constexpr std::size_t kMostAtOnce = 128;

  /// `id` is the user's name for the device; its serial number follows from it. `speed` is not low.
  Serial(std::string_view id, Speed speed, std::unique_ptr<SerialLine> line, Scheduler& scheduler);
  ~Serial() override;

  /// What the guest has set.
  [[nodiscard]] const LineSettings& settings() const { return settings_; }

 private:
  ControlResult on_class_request(const SetupPacket& setup, ByteView data) override;
  void on_transfer(EndpointAddress endpoint) override;
  void on_cancel(TransferId id) override;
  void on_configured(std::uint8_t value) override;
  void on_interface_reset(std::uint8_t interface, std::uint8_t alternate_setting) override;
  void on_reset() override;
  void on_suspend() override;
  void on_resume() override;

  void on_readable() override;
  void on_writable() override { send(); }
  void on_connection() override { notify(); }

  void send_break(std::uint16_t milliseconds);
  void change(const LineSettings& settings);
  void forget_settings();

  void receive();
  void send();
  [[nodiscard]] bool send_rest_of_packet();
  void give_up_sending(Status status);
  void notify();
  [[nodiscard]] std::uint16_t serial_state() const;

  const std::size_t packet_size_;
  std::unique_ptr<SerialLine> line_;
  LineSettings settings_;
  std::unique_ptr<Timer> break_timer_;
  std::unique_ptr<Timer> wake_timer_;  // armed right after a suspension
  std::uint16_t notified_state_ = 0;   // what the guest knows of serial_state()

  TransferPtr sending_;   // the device-bound transfer that the line is taking
  std::size_t sent_ = 0;  // of it
  Bytes rest_of_packet_;  // of a transfer that was cancelled
};

}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "loop/byte_stream.hpp"
#include "machine/controllers.hpp"
#include "machine/dial_in.hpp"
#include "machine/operations.hpp"
#include "machine/presets.hpp"
#include "machine/remote_session.hpp"
#include "remote/session.hpp"
#include "usb/observed_device.hpp"

namespace periplex::machine {

/// What a remote peripheral needs of its machine.
struct RemoteServices {
  EventLoop& loop;
  Controllers& controllers;
  const Presets& presets;
  std::function<usb::DeviceLabel(usb::Speed)> next_label;
  /// It is about to be plugged in: captures want to watch it.
  std::function<void(usb::ObservedDevice&)> watch;
  // Peripherals at seats, by SEAT/ID: streams for it are waited for, or not any more. Empty where none can come.
  std::function<void(const std::string& name)> want{};
  std::function<void(const std::string& name)> leave{};
  DiskSettings disks{};  ///< of disks at seats whose own settings do not say
};

/// One peripheral that is somewhere else: a session on an open stream socket, and what that offers, in a port.
///
/// The device goes into a port at its own speed where a controller runs that; else at the fastest that one runs, with
/// usb::OtherSpeedDevice in front. When the session ends, it is pulled, and this stays as `gone` until it is detached;
/// where the far end dials in (`Description::is_dialled_in`), another session begins when it does so again.
class RemotePeripheral final : private remote::SessionHost {
 public:
  [[nodiscard]] static Outcome<std::unique_ptr<RemotePeripheral>> make(Description description, UniqueFd socket,
                                                                       const RemoteServices& services);
  RemotePeripheral(const RemotePeripheral&) = delete;
  RemotePeripheral& operator=(const RemotePeripheral&) = delete;
  ~RemotePeripheral();

  /// Pulls it and ends the session. It must be kept for one more turn of the loop, while what was under way comes back.
  void leave();

  /// The far end has a connection, another one than before.
  void connect(UniqueFd socket);

  [[nodiscard]] const Description& description() const { return description_; }
  [[nodiscard]] const std::string& id() const { return description_.id; }
  [[nodiscard]] PeripheralView view() const;
  [[nodiscard]] PeripheralStatistics statistics() const;
  /// Null while it is in no port.
  [[nodiscard]] usb::ObservedDevice* device() const { return in_port() ? front_.get() : nullptr; }

 private:
  RemotePeripheral(Description description, UniqueFd socket, const RemoteServices& services);

  // remote::SessionHost
  void send(Bytes bytes) override {
    if (stream_) stream_->send(std::move(bytes));
  }
  void device_arrived(usb::Device& device) override;
  void device_left(usb::Device& device) override;
  void session_held(bool held) override;
  void session_failed(std::string why) override;

  [[nodiscard]] bool in_port() const { return port_.value != 0; }
  [[nodiscard]] std::unique_ptr<usb::Device> as_preset(usb::Device& device) const;
  [[nodiscard]] std::unique_ptr<usb::Device> in_front_of(usb::Device& device) const;
  void lost();
  void pull();
  void become_gone(std::string why);
  void wait_again(std::string why);

  const Description description_;
  const RemoteServices services_;
  RemoteState state_ = RemoteState::connecting;
  std::string why_;
  std::string controller_;
  usb::PortNumber port_;
  bool leaving_ = false;
  log::RateLimit arrivals_;
  log::RateLimit losses_;
  std::unique_ptr<DialIn> dial_in_;     // null where we have dialled, or a gate brings streams
  std::unique_ptr<ByteStream> stream_;  // null while there is no connection
  RemoteSession remote_;
  std::unique_ptr<usb::ObservedDevice> front_;  // of the session's device: destroyed before it
};

}  // namespace periplex::machine

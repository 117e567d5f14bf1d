// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loop/acceptor.hpp"
#include "loop/event_loop.hpp"
#include "machine/plugged.hpp"
#include "remote/usbip/export.hpp"

namespace periplex::apps {

/// Peripherals of this computer, served over USB/IP without any machine.
class UsbipServer {
 public:
  static constexpr std::size_t kMostClients = 32;

  explicit UsbipServer(EventLoop& loop);
  UsbipServer(const UsbipServer&) = delete;
  UsbipServer& operator=(const UsbipServer&) = delete;
  ~UsbipServer();

  /// Takes a peripheral and asks it what it is; before `serve`.
  [[nodiscard]] machine::Outcome<> add(std::unique_ptr<machine::Plugged> peripheral);
  /// Accepts clients on `listening` from now on.
  void serve(UniqueFd listening);

  [[nodiscard]] const std::vector<remote::usbip::Export>& exports() const { return exports_; }
  /// Of the export with the same index.
  [[nodiscard]] const machine::Plugged& peripheral(std::size_t index) const { return *peripherals_[index]; }
  /// The first keyboard, or null.
  [[nodiscard]] machine::Plugged* keyboard() const;

 private:
  class Connection;

  void accept(UniqueFd socket);
  void drop(const Connection& connection);

  EventLoop& loop_;
  std::vector<std::unique_ptr<machine::Plugged>> peripherals_;
  std::vector<remote::usbip::Export> exports_;
  std::vector<std::unique_ptr<Connection>> connections_;  // destroyed before what they export
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace periplex::apps

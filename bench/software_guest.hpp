// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "usb/xhci/testing/driver.hpp"
#include "vfio_user/client.hpp"
#include "vfio_user/shared_ram.hpp"

namespace periplex::bench {

/// The controller's registers through a vfio-user socket: reads wait for their reply, writes are posted, as QEMU does.
class SocketRegisters final : public usb::xhci::testing::RegisterAccess {
 public:
  explicit SocketRegisters(vfio_user::Client& client) : client_(client) {}
  [[nodiscard]] std::uint32_t read32(std::uint32_t offset) override;
  void write32(std::uint32_t offset, std::uint32_t value) override;
  void write64(std::uint32_t offset, std::uint64_t value) override;

 private:
  vfio_user::Client& client_;
};

/// A guest without a processor: memory that is shared with the worker, and a driver that has brought the controller and
/// its device up. Polls the event ring and takes no interrupts.
class SoftwareGuest {
 public:
  static constexpr unsigned kOut = 2;  // DCIs of the device's bulk endpoints
  static constexpr unsigned kIn = 3;
  static constexpr std::uint32_t kBar = 0;

  /// Throws std::runtime_error where something does not come up.
  SoftwareGuest(const std::string& socket_path, std::uint64_t ram_size);

  [[nodiscard]] vfio_user::Client& client() { return client_; }
  [[nodiscard]] usb::xhci::testing::GuestRam& ram() { return ram_; }
  [[nodiscard]] usb::xhci::testing::Driver& driver() { return driver_; }
  [[nodiscard]] unsigned slot() const { return slot_; }

 private:
  void enumerate();

  vfio_user::SharedRam shared_;
  vfio_user::Client client_;
  SocketRegisters registers_{client_};
  usb::xhci::testing::GuestRam ram_;
  usb::xhci::testing::Driver driver_;
  unsigned slot_ = 0;
};

}  // namespace periplex::bench

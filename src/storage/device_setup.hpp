// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.hpp"
#include "storage/device_pipes.hpp"
#include "storage/disk_interface.hpp"
#include "storage/identity.hpp"

namespace periplex::storage {

/// Why a device cannot be driven as a disk.
enum class InitiatorError : std::uint8_t {
  no_answer,  ///< a request that every device must answer was not, or not sensibly
  no_disk,    ///< it has no interface with a transport and a command set that are known here
  gone,       ///< it has been unplugged
};

/// What a device says of itself before any SCSI command.
struct DeviceFacts {
  DiskIdentity identity;  ///< without units
  DiskInterface interface;
  std::uint8_t last_lun = 0;
};

/// Reads a device's descriptors, chooses its best interface, and configures it (USB 2.0 §9.1.2), one request after the
/// other, each within a bounded time.
class DeviceSetup final {
 public:
  using Opened = std::move_only_function<void(std::expected<DeviceFacts, InitiatorError>)>;
  using Configured = std::move_only_function<void(std::expected<void, InitiatorError>)>;

  DeviceSetup(usb::Device& device, DevicePipes& pipes, Scheduler& scheduler, bool uas_allowed);

  void open(Opened opened);
  /// Again after a port reset, for the interface that was chosen.
  void configure(const DiskInterface& interface, Configured configured);

 private:
  /// Takes what arrived; empty: the request was stalled.
  using Step = void (DeviceSetup::*)(std::optional<Bytes> data);

  void ask(const usb::SetupPacket& setup, Step then);
  void get_descriptor(std::uint8_t type, std::uint8_t index, std::uint16_t length, Step then,
                      std::uint16_t language = 0);
  void on_device(std::optional<Bytes> data);
  void on_configuration_header(std::optional<Bytes> data);
  void on_configuration(std::optional<Bytes> data);
  void on_languages(std::optional<Bytes> data);
  void next_string();
  void on_string(std::optional<Bytes> data);
  void set_configuration();
  void on_configuration_set(std::optional<Bytes> data);
  void on_interface_set(std::optional<Bytes> data);
  void on_max_lun(std::optional<Bytes> data);
  void finish(std::expected<void, InitiatorError> outcome);

  usb::Device& device_;
  DevicePipes& pipes_;
  const bool uas_allowed_;
  std::unique_ptr<Timer> timer_;
  Opened opened_;
  Configured configured_;
  DeviceFacts facts_;
  std::array<std::uint8_t, 3> strings_{};  // indices: manufacturer, product, serial number
  std::size_t string_ = 0;
  std::uint16_t language_ = 0;
  std::uint64_t epoch_ = 0;
};

/// The text of a string descriptor (USB 2.0 §9.6.7), as UTF-8; what is no UTF-16 becomes U+FFFD.
[[nodiscard]] std::string decode_string(ByteView descriptor);

}  // namespace periplex::storage

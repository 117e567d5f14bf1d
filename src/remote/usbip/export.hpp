// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "remote/usbip/operation.hpp"
#include "usb/descriptors.hpp"
#include "usb/device.hpp"

namespace periplex::remote::usbip {

/// A device that is offered over USB/IP, and what clients are told of it before they import it.
struct Export {
  DeviceRecord record;
  std::vector<InterfaceRecord> interfaces;
  usb::Device* device = nullptr;
  bool taken = false;  ///< by a client: others are told that it is busy
};

/// Asks a device, which nobody else uses, for what an `Export` of it has to tell.
class Enumeration final : private usb::TransferOwner {
 public:
  using Done = std::function<void(std::expected<Export, std::string>)>;

  /// It is bus 1, device `number`, with bus id 1-`number`. `done` is called once, from the loop; this may be destroyed
  /// after that, and the device must stay alive until then.
  Enumeration(usb::Device& device, std::uint32_t number, Done done);
  void start();

 private:
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override;
  void request(const usb::SetupPacket& setup);
  void fail(std::string why);
  void take_device(ByteView descriptor);
  void take_configuration(ByteView descriptor);

  Done done_;
  Export found_;
  std::uint64_t last_id_ = 0;
};

/// SET_ADDRESS, which a client's host stack believes done already.
[[nodiscard]] usb::SetupPacket set_address_request();

}  // namespace periplex::remote::usbip

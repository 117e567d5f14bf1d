// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "base/time.hpp"
#include "remote/session.hpp"
#include "remote/usbip/imported_device.hpp"
#include "remote/usbip/inbox.hpp"

namespace periplex::remote::usbip {

/// The client's side of a USB/IP connection (version 1.1.1): imports one device, by its bus id, and offers it.
///
/// Linux's usbipd, usbipd-win and servers on microcontrollers are at the far end. The protocol knows neither resumption
/// nor encryption nor who somebody is: when the connection is lost, so is the device.
class Importer final : public Session {
 public:
  Importer(SessionHost& host, ImportOptions options, Scheduler& scheduler);

  void connected() override;
  void receive(ByteView bytes) override;
  void disconnected() override;

 private:
  /// How far a message could be taken.
  enum class Taken : std::uint8_t { whole, needs_more, fatal };

  [[nodiscard]] Taken take_reply();
  [[nodiscard]] Taken take_answer();
  Taken fail(std::string why);
  void import(const DeviceRecord& record);

  SessionHost& host_;
  const ImportOptions options_;
  Scheduler& scheduler_;
  Inbox inbox_;
  std::optional<ImportedDevice> device_;
  bool ended_ = false;
};

}  // namespace periplex::remote::usbip

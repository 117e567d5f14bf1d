// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "attachment/extension.hpp"
#include "attachment/hello.hpp"
#include "base/time.hpp"
#include "storage/attached/part_carrier.hpp"
#include "storage/attached/requested_device.hpp"
#include "storage/initiator.hpp"
#include "storage/target_server.hpp"

namespace periplex::storage {

/// The agent's half of a terminated disk: an extension of the `DeviceServer` that has the real one.
///
/// It leaves the device alone until a worker asks for the disk. Then the port is reset first: whoever was there before
/// may have gone away in mid-command, and a disk that still waits for data would take the next command for them.
class DiskServer final : public attachment::ServerExtension {
 public:
  explicit DiskServer(Scheduler& scheduler, InitiatorOptions options = {}) : scheduler_(scheduler), options_(options) {}
  DiskServer(const DiskServer&) = delete;
  DiskServer& operator=(const DiskServer&) = delete;
  ~DiskServer() { end(); }

  // ServerExtension
  [[nodiscard]] std::uint32_t capabilities() const override { return attachment::kCapabilityStorageCommands; }
  void begin(attachment::ExtensionLink& link, attachment::Requests& device) override;
  [[nodiscard]] attachment::Verdict on_message(ByteView message) override;
  void on_room() override { carrier_.flush(); }
  void end() override;

  /// Of the present session, if its worker has asked for the disk.
  [[nodiscard]] std::optional<InitiatorCounters> counters() const;

 private:
  /// Messages that may wait for a worker: a result of each command, and what refuses as many more.
  static constexpr std::size_t kMaxWaiting = 4 * kMaxCommands;

  [[nodiscard]] attachment::Verdict open();
  [[nodiscard]] attachment::Verdict on_part(ByteView part);
  void on_opened(const std::expected<DiskIdentity, InitiatorError>& identity);
  void tell_no_disk(std::string_view reason);

  Scheduler& scheduler_;
  const InitiatorOptions options_;
  attachment::ExtensionLink* link_ = nullptr;
  attachment::Requests* requests_ = nullptr;
  PartCarrier carrier_;
  std::unique_ptr<RequestedDevice> device_;
  std::unique_ptr<Initiator> initiator_;
  std::unique_ptr<TargetServer> server_;
  bool broken_ = false;  // the worker has sent what is no message
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "storage/device_pipes.hpp"
#include "storage/disk_interface.hpp"
#include "storage/transport.hpp"
#include "usb/device/bulk_only_wrapper.hpp"

namespace periplex::storage {

/// The host side of USB Mass Storage Class Bulk-Only Transport 1.0: one command at a time, and after one that has
/// failed its REQUEST SENSE, so that sense data come with the outcome.
///
/// What the device answers is believed as far as §6.3 says: a CSW that is not valid or not meaningful, a phase error,
/// and an endpoint that fails otherwise than by a STALL, are followed by Reset Recovery (§5.3.4), and the command ends
/// with ABORTED COMMAND. When even that fails, the device needs a port reset.
class BulkOnlyInitiator final : public Transport {
 public:
  BulkOnlyInitiator(DevicePipes& pipes, const DiskInterface& interface, Scheduler& scheduler, Owner& owner);

  [[nodiscard]] std::size_t room() const override { return stage_ == Stage::idle ? 1 : 0; }
  void start(CommandId id, Command command, Done done) override;
  void abort(CommandId id) override;
  void reset_unit(std::uint8_t lun, Done done) override;
  void end_all(const Result& result) override;

 private:
  enum class Stage : std::uint8_t { idle, command, data, status, recovery };
  /// What the command block wrapper on its way is about.
  enum class Purpose : std::uint8_t { command, sense };
  using Handler = void (BulkOnlyInitiator::*)(usb::Status, std::uint32_t, Bytes);

  void send_command(Purpose purpose, std::uint8_t lun, const Bytes& cdb, DataStage data);
  void on_command_sent(usb::Status status, std::uint32_t actual, Bytes);
  void on_data_in(usb::Status status, std::uint32_t actual, Bytes data);
  void on_data_out(usb::Status status, std::uint32_t actual, Bytes);
  void after_data(usb::Status status, usb::EndpointAddress endpoint);
  void on_halt_cleared(usb::Status status, std::uint32_t, Bytes);
  void read_status();
  void on_status(usb::Status status, std::uint32_t actual, Bytes data);
  void on_status_wrapper(const usb::device::CommandStatusWrapper& csw);
  void ask_for_sense();

  void clear_halt(usb::EndpointAddress endpoint, Handler then);
  /// Reset Recovery (§5.3.4); then the command ends with `result`.
  void recover(Result result);
  void on_mass_storage_reset(usb::Status status, std::uint32_t, Bytes);
  void on_in_cleared(usb::Status status, std::uint32_t, Bytes);
  void on_out_cleared(usb::Status status, std::uint32_t, Bytes);
  [[nodiscard]] bool recovering(usb::Status status);
  void end(Result result);
  void on_timeout();
  void lost();

  /// Makes `handler` hear how the next transfer ends, unless the transport has given up waiting for it by then.
  [[nodiscard]] DevicePipes::Ended expect(Handler handler);

  DevicePipes& pipes_;
  const DiskInterface interface_;
  Owner& owner_;
  std::unique_ptr<Timer> timer_;

  Stage stage_ = Stage::idle;
  CommandId id_;
  Command command_;
  Done done_;
  Result result_;  // as far as it is known

  Purpose purpose_ = Purpose::command;
  DataStage data_;  // of the wrapper on its way
  Bytes moved_in_;
  std::uint32_t tag_ = 0;
  bool status_asked_twice_ = false;
  std::optional<usb::TransferId> transfer_;
  std::uint64_t epoch_ = 0;  // answers from before the last change of it are not for us any more
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "usb/batching/pipe.hpp"

namespace periplex::usb::batching {

/// A control endpoint (USB 2.0 §8.5.3): Setup, data and status stage of the guest become *one* request.
///
/// The Setup stage is always acknowledged, as a device must. The request goes out as soon as all of it is known: at
/// once where the data stage is guest-bound or missing, else when the device-bound data has been taken. Later stages
/// are pending until the device side has answered.
class ControlPipe final : public Pipe {
 public:
  ControlPipe(Surroundings& surroundings, Device& device);
  ~ControlPipe() override;

  Activity visit(QueueView& queue) override;
  void withdraw() override;
  void abandon() override;
  [[nodiscard]] bool in_flight() const override { return submitted_; }
  [[nodiscard]] TransferType type() const override { return TransferType::control; }

 private:
  enum class Stage : std::uint8_t { idle, data, status };
  /// Descriptors that one visit handles; requests that the device may still hold although they were cancelled.
  static constexpr unsigned kMaxSteps = 4096;
  static constexpr std::size_t kMaxCancelled = 8;

  void on_transfer_complete(Transfer& transfer, Completion completion) override;
  bool step(QueueView& queue, const Descriptor& head);
  bool on_setup(QueueView& queue, const Descriptor& head);
  bool on_data_out(QueueView& queue, const Descriptor& head);
  bool on_data_in(QueueView& queue, const Descriptor& head);
  bool on_status(QueueView& queue, const Descriptor& head);
  bool fail(QueueView& queue, const Descriptor& head, Status status);
  bool fault(guest::Fault what);
  bool give(QueueView& queue, const Descriptor& head, const Outcome& outcome);
  void submit();
  void forget();

  Surroundings& surroundings_;
  Device& device_;
  Stage stage_ = Stage::idle;
  SetupPacket setup_;
  Bytes out_;                // device-bound data so far
  std::uint32_t given_ = 0;  // guest-bound bytes that packets have got
  TransferId id_;
  bool submitted_ = false;
  std::vector<TransferId> cancelled_;  // that the device still holds
  std::optional<Completion> completion_;
  TransferData in_;
};

}  // namespace periplex::usb::batching

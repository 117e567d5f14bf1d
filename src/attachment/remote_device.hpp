// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "attachment/configuration.hpp"
#include "attachment/descriptor_cache.hpp"
#include "attachment/playout_buffer.hpp"
#include "attachment/remote_transfers.hpp"
#include "attachment/report_queue.hpp"
#include "usb/device.hpp"

namespace periplex::attachment {

/// A peripheral at an agent, as the worker's controllers see it.
///
/// What is known is answered here: descriptors, SET_ADDRESS (the device has an address of the agent's host). Interrupt
/// IN and isochronous endpoints are streamed: the agent does not wait to be asked each time. Everything else is one
/// message there, and one back. While the connection is lost transfers just stay pending.
class RemoteDevice final : public usb::Device, private RemoteTransfers::Listener {
 public:
  struct Options {
    Nanoseconds control_patience = std::chrono::seconds(4);
  };

  /// `on_overrun`: it is to be unplugged (see `RemoteTransfers::Listener`). Called from the loop.
  RemoteDevice(const Describe& description, MessageStream& stream, Scheduler& scheduler, PeripheralCounters& counters,
               const Options& options, std::function<void()> on_overrun);
  RemoteDevice(const RemoteDevice&) = delete;
  RemoteDevice& operator=(const RemoteDevice&) = delete;
  ~RemoteDevice() override;

  [[nodiscard]] usb::Speed speed() const override { return speed_; }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override;
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override;
  void endpoint_opened(usb::EndpointAddress endpoint) override;
  void suspend() override;
  void resume() override;
  void set_wake_up(std::function<void()> wake_up) override { wake_up_ = std::move(wake_up); }

  /// What the agent says.
  [[nodiscard]] Verdict on_message(MessageType type, ByteView body);
  /// The same device, with other descriptors after a reset.
  [[nodiscard]] Verdict describe(const Describe& description);
  void on_disconnected() { transfers_.on_disconnected(); }
  /// The stream may have room again.
  void on_room() { transfers_.flush(); }

 private:
  void submit_control(usb::TransferPtr transfer);
  [[nodiscard]] bool answer_here(usb::TransferPtr& transfer);
  void prepare_endpoints(const usb::SetupPacket& setup);
  void submit_isochronous_out(usb::TransferPtr transfer, Microseconds interval);
  [[nodiscard]] Bytes packets_of(const usb::Transfer& transfer, Microseconds interval) const;
  [[nodiscard]] ReportQueue& reports(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties);
  [[nodiscard]] PlayoutBuffer& playout(usb::EndpointAddress endpoint, const Configuration::Endpoint& properties);
  void flush_endpoints(std::optional<std::uint8_t> interface, usb::Status status);
  [[nodiscard]] Verdict on_report(ByteView body);
  [[nodiscard]] Verdict on_isochronous_in(ByteView body);
  [[nodiscard]] Verdict on_reset_done(ByteView body);
  void wake_up_guest();
  void finish(usb::TransferPtr transfer, usb::Status status, std::uint32_t actual = 0);

  void on_control_result(const usb::SetupPacket& setup, usb::Status status) override;
  void on_overrun() override;

  const usb::Speed speed_;
  MessageStream& stream_;
  Scheduler& scheduler_;
  PeripheralCounters& counters_;
  const std::function<void()> overrun_;
  std::function<void()> wake_up_;
  bool overran_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  DescriptorCache descriptors_;
  Configuration configuration_;
  std::uint32_t resets_ = 0;
  std::uint32_t confirmed_resets_ = 0;  // after which the agent has looked at the descriptors
  Completions completions_;
  RemoteTransfers transfers_;
  std::map<usb::EndpointAddress, std::unique_ptr<ReportQueue>> reports_;
  std::map<usb::EndpointAddress, std::unique_ptr<PlayoutBuffer>> playouts_;
};

}  // namespace periplex::attachment

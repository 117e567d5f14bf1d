// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/log.hpp"
#include "base/time.hpp"
#include "remote/usbip/endpoint_table.hpp"
#include "remote/usbip/inbound_pipe.hpp"
#include "remote/usbip/operation.hpp"
#include "remote/usbip/urb.hpp"
#include "usb/device.hpp"
#include "usb/device/completion_queue.hpp"

namespace periplex::remote::usbip {

struct ImportOptions {
  std::string bus_id;
  /// Interrupt requests that are kept at the far end; 0: as many as cover `ImportedDevice::kCoveredTime`.
  std::size_t reports_ahead = 0;
  static constexpr std::size_t kMostReportsAhead = 128;
};

/// A device at a USB/IP server, as our controllers see it.
///
/// The server has addressed the device already, and its link is the server's: what belongs to these is answered here.
/// Streams do not exist in the protocol, so the guest is shown none. A port reset is sent as the request that Linux's
/// server takes for one, SET_FEATURE(PORT_RESET) to the device, if the guest has used the device since the last.
class ImportedDevice final : public usb::Device, private InboundPipe::Far {
 public:
  /// How much time interrupt requests at the far end cover: a round trip, and a guest that is late.
  static constexpr Nanoseconds kCoveredTime = std::chrono::milliseconds(500);
  static constexpr std::size_t kFewestReportsAhead = 8;
  static constexpr std::size_t kReportsAheadUnknown = 16;  ///< where the interval is not known
  /// As many unanswered requests as a far end may keep.
  static constexpr std::size_t kMostRequests = 8192;
  /// The largest transfer.
  static constexpr std::uint32_t kMostData = 64u << 20;

  /// As much of a configuration is asked for at first: some devices (QEMU's) refuse requests that are longer.
  static constexpr std::uint16_t kUsualConfiguration = 4096;

  using Send = std::function<void(Bytes)>;
  ImportedDevice(const DeviceRecord& record, usb::Speed speed, ImportOptions options, Send send, Scheduler& scheduler);
  ImportedDevice(const ImportedDevice&) = delete;
  ImportedDevice& operator=(const ImportedDevice&) = delete;
  ~ImportedDevice() override;

  /// How many bytes follow the header `returned`; why not, if no such answer is expected.
  [[nodiscard]] std::expected<std::size_t, std::string> payload_size(const SubmitReturn& returned) const;
  /// Takes the answer with its payload, of that size.
  void on_return(const SubmitReturn& returned, ByteView payload);
  void on_return(const UnlinkReturn& returned);
  /// The far end is gone: everything that is held comes back with `disconnected`, before this returns.
  void leave();
  /// The far end keeps too many requests unanswered; more are not made.
  [[nodiscard]] bool overrun() const { return requests_.size() >= kMostRequests; }

  [[nodiscard]] usb::Speed speed() const override { return speed_; }
  [[nodiscard]] std::optional<usb::TransferType> endpoint_type(usb::EndpointAddress endpoint) const override;
  void submit(usb::TransferPtr transfer) override;
  void cancel(usb::TransferId id) override;
  void reset() override;
  void suspend() override { suspended_ = true; }
  void resume() override { suspended_ = false; }
  void set_wake_up(std::function<void()> wake_up) override { wake_up_ = std::move(wake_up); }

 private:
  /// What is known of a submission until its answer has come, even if nobody waits for that any more.
  struct Request {
    usb::EndpointAddress endpoint;
    bool guest_bound = false;
    std::uint32_t room = 0;     // most bytes of the answer
    std::uint32_t packets = 0;  // isochronous
    bool of_pipe = false;       // belongs to the endpoint's InboundPipe
    usb::TransferPtr transfer;  // null: nobody waits
  };

  // InboundPipe::Far
  std::uint32_t ask(usb::EndpointAddress endpoint, std::uint32_t room) override;
  void withdraw(std::uint32_t number) override;
  void finish(usb::TransferPtr transfer, usb::Completion completion) override;
  void on_unasked(usb::EndpointAddress endpoint) override;
  [[nodiscard]] bool listens_unasked() const override { return suspended_ && wake_up_enabled_; }

  void submit_control(usb::TransferPtr transfer);
  void send_control(const usb::SetupPacket& setup, usb::TransferPtr transfer);
  void submit_isochronous(usb::TransferPtr transfer);
  void submit_inbound(usb::TransferPtr transfer);
  void submit_outbound(usb::TransferPtr transfer);
  [[nodiscard]] static bool asks_for_configuration(const usb::SetupPacket& setup);
  [[nodiscard]] bool answer_here(usb::TransferPtr& transfer);
  void before_request(const usb::SetupPacket& setup);
  void after_request(const usb::SetupPacket& setup);
  [[nodiscard]] std::uint32_t send_submit(Submit submit, ByteView data, ByteView packets, Request request);
  [[nodiscard]] Submit submission(usb::EndpointAddress endpoint, usb::Direction direction, std::uint32_t length) const;
  [[nodiscard]] InboundPipe& pipe(usb::EndpointAddress endpoint);
  [[nodiscard]] std::size_t reports_ahead(usb::EndpointAddress endpoint) const;
  void complete(Request request, const SubmitReturn& returned, ByteView payload);
  void complete_control(Request request, usb::Status status, ByteView data);
  void tell_of_streams(ByteView configuration);
  [[nodiscard]] bool ask_for_the_rest(Request& request, ByteView configuration);
  void complete_isochronous(Request request, const SubmitReturn& returned, ByteView payload);
  void send_port_reset();

  const std::uint32_t device_id_;
  const usb::Speed speed_;
  const ImportOptions options_;
  const Send send_;
  Scheduler& scheduler_;
  std::optional<usb::device::CompletionQueue> completions_;
  EndpointTable endpoints_;
  std::map<usb::EndpointAddress, InboundPipe> pipes_;
  std::unordered_map<std::uint32_t, Request> requests_;       // by sequence number
  std::unordered_map<std::uint32_t, std::uint32_t> unlinks_;  // sequence numbers: of the unlink, of its target
  std::uint32_t sequence_ = 0;
  bool left_ = false;
  bool told_of_streams_ = false;
  bool used_ = false;  // since the last reset
  bool suspended_ = false;
  bool wake_up_enabled_ = false;
  std::function<void()> wake_up_;
  log::RateLimit limit_;
};

}  // namespace periplex::remote::usbip

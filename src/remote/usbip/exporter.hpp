// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "base/time.hpp"
#include "remote/usbip/export.hpp"
#include "remote/usbip/inbox.hpp"
#include "remote/usbip/isochronous_clock.hpp"
#include "remote/usbip/urb.hpp"
#include "usb/transfer_relay.hpp"

namespace periplex::remote::usbip {

/// Who carries the bytes of a client's connection.
class ExporterHost {
 public:
  virtual void send(Bytes bytes) = 0;
  /// The client does what the protocol does not allow; the connection is to be closed. Not to be answered by
  /// destroying the exporter from inside this call.
  virtual void exporter_failed(std::string why) = 0;

 protected:
  ~ExporterHost() = default;
};

/// The server's side of one USB/IP connection (version 1.1.1), made for Linux's vhci-hcd: lists devices, hands one
/// over, and carries out its URBs.
///
/// The client's host stack addresses and resets its own virtual port: the device is reset and addressed here when it is
/// imported, and SET_ADDRESS is answered without it. SET_FEATURE(PORT_RESET) to the device resets it and restores its
/// configuration, as Linux's server does. Streams do not exist in the protocol: a client is shown none.
class Exporter {
 public:
  static constexpr std::uint32_t kMostData = 16u << 20;    ///< of one URB
  static constexpr std::size_t kMostHeldData = 64u << 20;  ///< of all URBs that are not finished
  static constexpr std::size_t kMostRequests = 2048;       ///< URBs that are not finished
  static constexpr std::uint32_t kMostPackets = 1024;      ///< of one isochronous URB

  /// `exports` and their devices must outlive this; so must `host`.
  Exporter(std::span<Export> exports, ExporterHost& host, Scheduler& scheduler);
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  /// The device is given back; what it still holds comes back to nobody.
  ~Exporter();

  void receive(ByteView bytes);

 private:
  enum class Taken : std::uint8_t { whole, needs_more, fatal };

  /// A submission that the client has no answer to.
  struct Request {
    Submit submit;
    std::vector<PacketDescriptor> packets;  // as the client sent them
    usb::TransferPtr transfer;              // until its time has come (isochronous)
    usb::TransferId id;
    std::uint32_t unlinked_by = 0;  // sequence number; 0: by nobody
    std::size_t held = 0;           // bytes
  };

  [[nodiscard]] Taken take_operation();
  [[nodiscard]] Taken take_command();
  [[nodiscard]] Taken take_submit(const Submit& submit);
  Taken fail(std::string why);
  void list();
  void import(std::string_view bus_id);
  void on_submit(const Submit& submit, ByteView data, ByteView packets);
  void on_unlink(const Unlink& unlink);
  void submit_control(Request request, ByteView data);
  void submit_isochronous(Request request, ByteView data);
  void submit_data(Request request, ByteView data);
  [[nodiscard]] usb::TransferPtr make_transfer(Request& request, usb::Direction direction, usb::TransferData data);
  void start(Request request, usb::TransferPtr transfer);
  void reset_device();
  void run_own(const usb::SetupPacket& setup);
  void on_complete(usb::Transfer& transfer, usb::Completion completion);
  void answer(const Request& request, const usb::Transfer& transfer, usb::Completion completion);
  void answer_control_here(const Submit& submit);
  void send_return(const Submit& submit, SubmitReturn returned, ByteView data, ByteView packets);
  void note_request(const usb::SetupPacket& setup);

  std::span<Export> exports_;
  ExporterHost& host_;
  Scheduler& scheduler_;
  Inbox inbox_;
  Export* imported_ = nullptr;
  std::shared_ptr<usb::TransferRelay> relay_;
  std::unordered_map<std::uint32_t, Request> requests_;           // by sequence number
  std::unordered_map<usb::TransferId, std::uint32_t> submitted_;  // sequence numbers
  IsochronousClock clock_;
  std::size_t held_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint8_t configuration_ = 0;
  bool failed_ = false;
};

}  // namespace periplex::remote::usbip

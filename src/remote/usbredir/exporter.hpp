// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "remote/usbredir/device_tables.hpp"
#include "remote/usbredir/export_pumps.hpp"
#include "remote/usbredir/frame_guard.hpp"
#include "remote/usbredir/parser.hpp"

namespace periplex::remote::usbredir {

/// Who carries the bytes of an exporter.
class ExporterHost {
 public:
  virtual void send(Bytes bytes) = 0;
  /// How much of it has not left yet.
  [[nodiscard]] virtual std::size_t backlog() const = 0;
  /// The connection is of no use any more, for the reason that `why` tells a person. The exporter must not be destroyed
  /// from inside this call; `connected` begins anew.
  virtual void session_failed(std::string why) = 0;

 protected:
  ~ExporterHost() = default;
};

/// The usb-host's side of a usbredir connection: offers a device to QEMU's `usb-redir`, or to another usb-guest.
///
/// A device is offered with the endpoints of its first configuration, as an operating system that had configured it
/// would; it is configured when the usb-guest asks for it. Devices may be withdrawn and others offered on the same
/// connection, and connections may come and go.
///
/// What a far end can make us hold is bounded: it gets `io_error` beyond. Whoever carries the bytes should not read
/// more while `wants_input` is false, and calls `drained` when bytes have left.
class Exporter final : private Parser::Handler, private PumpHost {
 public:
  /// At once, and their bytes.
  static constexpr std::size_t kMaxTransfers = 1024;
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
  static constexpr std::size_t kMaxBacklog = std::size_t{1} << 20;

  Exporter(ExporterHost& host, Scheduler& scheduler) : host_(host), scheduler_(scheduler) {}
  ~Exporter();

  /// Offers `device`, in place of the one before.
  void offer(std::unique_ptr<usb::Device> device);
  /// The device is gone.
  void withdraw();

  void connected();
  void receive(ByteView bytes);
  void disconnected();
  void drained();
  [[nodiscard]] bool wants_input() const { return host_.backlog() < kMaxBacklog; }

  /// Whether the far end has said its Hello.
  [[nodiscard]] bool greeted() const { return state_ == State::open; }
  /// What the far end calls itself; empty before its Hello.
  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  enum class State : std::uint8_t { idle, greeting, open };
  struct Asked {
    Message answer;  // what to say if it is cancelled
    usb::TransferId transfer;
  };

  void on_message(MessageId id, Message message) override;
  void on_bytes(Bytes bytes) override { host_.send(std::move(bytes)); }
  void send(MessageId id, const Message& message) override;
  MessageId request(const Message& message) override { return send(0, message), 0; }
  [[nodiscard]] bool congested() const override { return host_.backlog() >= kMaxBacklog; }

  void enumerate();
  void on_facts(std::optional<DeviceFacts> facts);
  void introduce();
  void send_tables();
  void close_device();
  void fail(std::string why);
  void finish_failing();

  void on(MessageId id, const Hello& message);
  void on(MessageId id, const Reset& message);
  void on(MessageId id, const FilterReject& message);
  void on(MessageId id, const DisconnectAck& message);
  void on(MessageId id, const SetConfiguration& message);
  void on(MessageId id, const GetConfiguration& message);
  void on(MessageId id, const SetAlternate& message);
  void on(MessageId id, const GetAlternate& message);
  void on(MessageId id, const StartPump& message);
  void on(MessageId id, const StopPump& message);
  void on(MessageId id, const AllocateStreams& message);
  void on(MessageId id, const FreeStreams& message);
  void on(MessageId id, const CancelData& message);
  void on(MessageId id, ControlData&& message);
  void on(MessageId id, BulkData&& message);
  void on(MessageId id, IsochronousData&& message);
  void on(MessageId id, InterruptData&& message);
  template <typename Other>
  void on(MessageId, const Other&) {}  // the library lets no others through to a usb-host

  [[nodiscard]] bool has_room(std::size_t bytes) const;
  [[nodiscard]] const EndpointInfo::Entry& entry(usb::EndpointAddress endpoint) const {
    return endpoints_.entries[index_of(endpoint)];
  }
  [[nodiscard]] std::unique_ptr<ExportPump> make_pump(const StartPump& message);
  void stop_pumps(std::optional<std::uint8_t> interface, bool tell);
  /// Whether `id` still waits for its answer from `transfer`; it does not afterwards.
  [[nodiscard]] bool take_asked(MessageId id, usb::TransferId transfer);
  void remember(MessageId id, Message answer, usb::TransferId transfer);

  ExporterHost& host_;
  Scheduler& scheduler_;
  std::unique_ptr<Parser> parser_;
  State state_ = State::idle;
  std::string failure_;
  std::string peer_;
  bool introduced_ = false;  // the far end has the device
  bool awaits_ack_ = false;  // it has not yet said that the one before is gone
  std::optional<DeviceFacts> facts_;
  const usb::ParsedConfiguration* configuration_ = nullptr;  // whose endpoints the far end knows
  Alternates alternates_;
  EndpointInfo endpoints_;
  std::map<MessageId, Asked> asked_;
  std::unique_ptr<Submitter> submitter_;
  std::unique_ptr<Enumeration> enumeration_;
  std::map<usb::EndpointAddress, std::unique_ptr<ExportPump>> pumps_;  // before the submitter they go
};

}  // namespace periplex::remote::usbredir

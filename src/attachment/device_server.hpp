// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "attachment/configuration.hpp"
#include "attachment/counters.hpp"
#include "attachment/descriptor_reader.hpp"
#include "attachment/extension.hpp"
#include "attachment/isochronous_sink.hpp"
#include "attachment/isochronous_source.hpp"
#include "attachment/message_stream.hpp"
#include "attachment/report_source.hpp"
#include "attachment/requests.hpp"
#include "usb/device.hpp"

namespace periplex::attachment {

/// Whoever runs a `DeviceServer`: carries its bytes. Called on the loop, also from inside calls to the server.
class ServerHost {
 public:
  /// Queues `bytes` for the worker. They arrive in order, or the connection is lost.
  virtual void send(Bytes bytes) = 0;
  /// A worker uses the device from now on; again, if another one takes its place.
  virtual void worker_arrived() {}
  /// It does not any more: it was away for too long, or knows nothing of this session.
  virtual void worker_left() {}
  /// The server has come to its end, for the reason that `why` tells a person. It must not be destroyed from inside.
  virtual void server_failed(std::string why) = 0;

 protected:
  ~ServerHost() = default;
};

struct ServerOptions {
  /// How long what a worker has asked for is kept while there is no connection: longer than a worker holds a device.
  Nanoseconds hold = std::chrono::seconds(60);
};

/// Drives one USB device on behalf of a worker: the agent's side of the attachment protocol
/// (docs/attachment-protocol.md).
///
/// It reads the descriptors by itself at the start, and says what the device is when a worker is there. Each transfer
/// of the worker is carried out once, and its result kept until the worker has it. A worker that breaks the protocol
/// ends this server, and so its own session; the device is asked to end what it was doing for it.
class DeviceServer final : private MessageStream::User, private ExtensionLink {
 public:
  /// `device` must stay alive until this is gone, or `device_gone` was called. `unique_id`: at most
  /// `kMaxUniqueIdBytes`. `extension` may be null.
  DeviceServer(usb::Device& device, std::string unique_id, ServerHost& host, Scheduler& scheduler,
               InstanceSource instances, const ServerOptions& options = {}, ServerExtension* extension = nullptr);
  DeviceServer(const DeviceServer&) = delete;
  DeviceServer& operator=(const DeviceServer&) = delete;
  ~DeviceServer();

  void connected();
  void receive(ByteView bytes);
  void disconnected();
  /// The device is not there any more, and must not be called. The worker is told; nothing else happens here again.
  void device_gone(std::string reason);

  /// Whether a worker has a session, connected or not.
  [[nodiscard]] bool in_session() const { return in_session_; }
  /// Whether it has got, and said so, all that was for it.
  [[nodiscard]] bool worker_has_all() const { return waiting_.empty() && stream_.log_messages() == 0; }
  [[nodiscard]] const ServerCounters& counters() const { return counters_; }
  /// Empty until the device has told what it is.
  [[nodiscard]] const std::optional<Describe>& description() const { return description_; }

 private:
  struct Flight {
    usb::TransferId id;
    std::uint32_t length = 0;
  };

  void send_bytes(Bytes bytes) override { host_.send(std::move(bytes)); }
  void on_begin() override;
  void on_resume() override;
  void on_lost() override;
  void on_message(ByteView payload) override;
  void on_room() override;
  void on_failed(StreamError why) override;

  void send(Bytes message) override { post(std::move(message)); }
  [[nodiscard]] bool has_room() const override { return stream_.has_room() && waiting_.empty(); }
  [[nodiscard]] bool open() const override { return stream_.open(); }

  [[nodiscard]] Verdict handle(ByteView payload);
  [[nodiscard]] Verdict handle_endpoint(MessageType type, ByteView body);
  [[nodiscard]] Verdict on_submit(ByteView body);
  [[nodiscard]] Verdict on_cancel(ByteView body);
  [[nodiscard]] Verdict on_reset(ByteView body);
  [[nodiscard]] Verdict on_poll(ByteView body);
  [[nodiscard]] Verdict on_stop_polling(ByteView body);
  [[nodiscard]] Verdict on_isochronous_out(ByteView body);

  void read_descriptors();
  void check_descriptors();
  void describe();
  void tell_reset_done(AfterReset descriptors);
  void prepare_endpoints(const usb::SetupPacket& setup);
  void on_result(std::uint64_t id, const usb::Transfer& transfer, usb::Completion completion);
  void note_result(const usb::SetupPacket& setup);
  void push(const IsochronousIn& message);
  void on_wake_up();
  void post(Bytes message);
  void flush();
  void forget_waiting();
  void end_session();
  void drop_endpoints();
  void fail(std::string why);

  usb::Device& device_;
  const std::string unique_id_;
  ServerHost& host_;
  Scheduler& scheduler_;
  const ServerOptions options_;
  ServerExtension* const extension_;
  std::unique_ptr<Timer> hold_;
  ServerCounters counters_;
  bool in_session_ = false;
  bool failed_ = false;
  bool gone_ = false;
  bool extension_begun_ = false;
  std::string gone_reason_;

  MessageStream stream_;
  std::deque<Bytes> waiting_;  // messages for which the stream has no room
  std::size_t waiting_bytes_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Requests requests_;
  DescriptorReader reader_;
  std::optional<Describe> description_;
  Configuration configuration_;

  std::map<std::uint64_t, Flight> flights_;  // by the worker's ids
  std::uint64_t last_id_ = 0;
  std::size_t bytes_in_flight_ = 0;
  std::uint32_t resets_ = 0;
  bool suspended_ = false;
  bool told_wake_up_ = false;
  std::map<usb::EndpointAddress, std::unique_ptr<ReportSource>> reports_;
  std::map<usb::EndpointAddress, std::unique_ptr<IsochronousSource>> sources_;
  std::map<usb::EndpointAddress, std::unique_ptr<IsochronousSink>> sinks_;
};

}  // namespace periplex::attachment

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/time.hpp"
#include "remote/session.hpp"
#include "remote/usbredir/imported_device.hpp"
#include "remote/usbredir/parser.hpp"

namespace periplex::remote::usbredir {

/// The usb-guest's side of a usbredir connection: takes the device that `usbredirect`, or another usb-host, offers.
///
/// One device at a time; it may go and another may come on the same connection. A usb-host older than usbredir 0.6
/// (2012) is refused: it cannot say how large packets are, nor carry bulk transfers past 64 KiB.
class Importer final : public Session, private Parser::Handler, private Wire {
 public:
  Importer(SessionHost& host, Scheduler& scheduler);
  ~Importer() override;

  void connected() override;
  void receive(ByteView bytes) override;
  void disconnected() override;

  /// What the far end calls itself; empty before its Hello.
  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  enum class State : std::uint8_t { idle, greeting, open, ended };

  void on_message(MessageId id, Message message) override;
  void on_bytes(Bytes bytes) override { host_.send(std::move(bytes)); }
  void send(MessageId id, const Message& message) override;
  MessageId request(const Message& message) override;

  void on(MessageId id, const Hello& message);
  void on(MessageId id, const DeviceConnect& message);
  void on(MessageId id, const DeviceDisconnect& message);
  void on(MessageId id, const InterfaceInfo& message);
  void on(MessageId id, const EndpointInfo& message);
  /// All others are for the device.
  template <typename Answer>
  void pass(MessageId id, Answer&& message);

  void tell_of_streams();
  void remove_device();
  /// Ends the session as soon as the parser is done with what it does.
  void fail(std::string why);
  void end(std::string why);

  SessionHost& host_;
  Scheduler& scheduler_;
  std::unique_ptr<Parser> parser_;
  State state_ = State::idle;
  std::string failure_;
  std::string peer_;
  // Those of libusbredirhost's own messages are small numbers: ours must not look like them.
  MessageId last_request_ = MessageId{1} << 32;
  bool told_of_streams_ = false;
  EndpointInfo endpoints_;
  std::unique_ptr<ImportedDevice> left_;  // the one before; its host may still refer to it
  std::unique_ptr<ImportedDevice> device_;
};

}  // namespace periplex::remote::usbredir

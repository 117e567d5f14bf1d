// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "attachment/messages.hpp"
#include "attachment/requests.hpp"
#include "attachment/verdict.hpp"
#include "base/bytes.hpp"
#include "usb/device.hpp"

/// Something else than transfers between the same two sides: messages of the types 0x40 to 0x7f, which are opaque here
/// (0x40 to 0x5f are for storage commands, `kCapabilityStorageCommands`). They travel exactly once and in order, with
/// the USB messages and with each other.
namespace periplex::attachment {

/// What an extension may do. Valid while there is a session.
class ExtensionLink {
 public:
  /// Sends a message; its first byte is a type of the extension's.
  virtual void send(Bytes message) = 0;
  /// Whether another message should be sent now. Those that are few and must go may go all the same.
  [[nodiscard]] virtual bool has_room() const = 0;
  /// Whether there is a connection just now.
  [[nodiscard]] virtual bool open() const = 0;

 protected:
  ~ExtensionLink() = default;
};

/// What the worker's half may do besides.
class PeripheralLink : public ExtensionLink {
 public:
  /// Plugs in what the guest is to see: `device`, which must live until `end`; null: the peripheral's own. Only the
  /// first call counts.
  virtual void show(usb::Device* device) = 0;
  /// The peripheral is of no use to the guest any more: it is unplugged, and the session given up, so that the agent
  /// describes it anew if it can. `end` comes soon, never from inside.
  virtual void give_up(std::string why) = 0;

 protected:
  ~PeripheralLink() = default;
};

/// The worker's half.
class PeripheralExtension {
 public:
  /// The agent has described a peripheral. True: nothing is plugged in before the extension calls `show`, now or later.
  /// False: the guest gets the peripheral's own device. `link` is valid until `end`. Only called if the agent has a
  /// capability that is asked for in `capabilities`.
  [[nodiscard]] virtual bool begin(const Describe& description, PeripheralLink& link) = 0;
  /// What both sides must be able to do, a bit of `Hello::capabilities`.
  [[nodiscard]] virtual std::uint32_t capabilities() const = 0;
  [[nodiscard]] virtual Verdict on_message(ByteView message) = 0;
  /// There is no connection; what has been sent will arrive when there is one again, if it comes in time.
  virtual void on_held() {}
  virtual void on_resumed() {}
  virtual void on_room() {}
  /// The peripheral is gone: nothing that is under way comes back. The guest has been told.
  virtual void end() = 0;

 protected:
  ~PeripheralExtension() = default;
};

/// The agent's half.
class ServerExtension {
 public:
  [[nodiscard]] virtual std::uint32_t capabilities() const = 0;
  /// A worker is there. `link` is valid until `end`; so is `device`, the way to ask the peripheral for something beside
  /// what the worker's transfers ask.
  virtual void begin(ExtensionLink& link, Requests& device) = 0;
  [[nodiscard]] virtual Verdict on_message(ByteView message) = 0;
  virtual void on_room() {}
  /// The worker is gone, or the device: nothing is to be sent any more.
  virtual void end() = 0;

 protected:
  ~ServerExtension() = default;
};

}  // namespace periplex::attachment

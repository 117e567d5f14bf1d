// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "remote/usbredir/frame_guard.hpp"
#include "remote/usbredir/messages.hpp"

namespace periplex::remote::usbredir {

/// Messages out of bytes and bytes out of messages: libusbredirparser behind values.
///
/// Stricter than the library: the first error ends the session, because an answer that was skipped is a transfer that
/// never ends, and what comes in passes `FrameGuard` before the library sees it. Filter rules of the far end are
/// dropped: they are its own affair.
class Parser {
 public:
  enum class Side : std::uint8_t { guest, host };

  class Handler {
   public:
    /// May send, but not destroy the parser.
    virtual void on_message(MessageId id, Message message) = 0;
    /// For the far end.
    virtual void on_bytes(Bytes bytes) = 0;

   protected:
    ~Handler() = default;
  };

  Parser(Side side, const Capabilities& ours, Handler& handler);
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Sends our Hello.
  void start();
  /// The error says, for people, what the far end did wrong; nothing may be given to the parser after it.
  [[nodiscard]] std::expected<void, std::string> receive(ByteView bytes);
  /// `message` is one that our side may send and the far end can understand.
  void send(MessageId id, const Message& message);

  /// What both sides can do; nothing before the far end's Hello.
  [[nodiscard]] const Capabilities& common() const;

 private:
  struct Library;

  std::unique_ptr<Library> library_;
  FrameGuard guard_;
};

}  // namespace periplex::remote::usbredir

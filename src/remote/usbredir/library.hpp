// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usbredirparser.h>

#include "remote/usbredir/messages.hpp"

/// Between libusbredirparser's C and the values of messages.hpp. For the parser only.
namespace periplex::remote::usbredir {

/// What the library calls back.
class LibraryUser {
 public:
  /// Fills `room` as far as there is input; returns how much.
  virtual std::size_t on_read(MutableByteView room) = 0;
  virtual void on_write(ByteView bytes) = 0;
  virtual void on_complaint(const char* text) = 0;
  virtual void on_hello(const Hello& hello) = 0;
  virtual void on_message(MessageId id, Message message) = 0;
  [[nodiscard]] virtual const Capabilities& common_capabilities() const = 0;

 protected:
  ~LibraryUser() = default;
};

/// Makes every callback of `library` one of `user`'s.
void connect(usbredirparser& library, LibraryUser& user);
/// Queues `message` in `library`.
void send_message(usbredirparser& library, MessageId id, const Message& message);

[[nodiscard]] std::uint32_t capability_bits(const Capabilities& capabilities);
/// The far end's, once its Hello has come.
[[nodiscard]] Capabilities capabilities_of(usbredirparser& library);

}  // namespace periplex::remote::usbredir

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "link/tls_context.hpp"

namespace periplex::link {

struct DtlsEnd;
/// One end of an association, as OpenSSL has it.
struct DtlsEndDeleter {
  void operator()(DtlsEnd* end) const;
};
using DtlsEndPtr = std::unique_ptr<DtlsEnd, DtlsEndDeleter>;

/// Who uses a DTLS association. It may call the association from inside these calls, but not destroy it there.
class DtlsUser {
 public:
  /// Both ends have shown certificates of our authority; `fingerprint` is the far end's (SHA-256, 64 hexadecimal
  /// digits).
  virtual void dtls_established(const std::string& fingerprint) = 0;
  virtual void dtls_received(ByteView bytes) = 0;
  /// A datagram for the network, at most 1,200 bytes. Must not call back.
  virtual void dtls_send(ByteView datagram) = 0;
  /// It is over; nothing follows. `why` is empty where the far end said so, and a text for people otherwise.
  virtual void dtls_closed(const std::string& why) = 0;

 protected:
  ~DtlsUser() = default;
};

/// An association of DTLS 1.2 (RFC 6347). Sans-I/O: datagrams in, datagrams out. OpenSSL repeats flights that were
/// lost, by its own clock.
///
/// What it is given later than its far end said goodbye, what is not of this association, comes twice or was changed on
/// the way is dropped without a word, as the standard says (§4.1.2.6, §4.1.2.7).
class DtlsAssociation {
 public:
  static constexpr Nanoseconds kHandshakeTime = std::chrono::seconds(10);

  /// Agent. `start` begins the handshake.
  DtlsAssociation(Scheduler& scheduler, const TlsContext& context, DtlsUser& user);
  /// Gate: goes on where `DtlsReception` has left off. `start` goes on with the handshake.
  DtlsAssociation(Scheduler& scheduler, DtlsEndPtr accepted, DtlsUser& user);
  DtlsAssociation(const DtlsAssociation&) = delete;
  DtlsAssociation& operator=(const DtlsAssociation&) = delete;
  ~DtlsAssociation();

  void start();
  /// A datagram has come from the far end's address.
  void receive(ByteView datagram);
  /// Once it is established; before, and later, nothing is sent. At most 1,152 bytes.
  void send(ByteView bytes);
  /// Says goodbye. Nothing is called any more.
  void close();

  [[nodiscard]] bool established() const { return state_ == State::established; }

 private:
  enum class State : std::uint8_t { handshake, established, closed };

  void advance();
  void handshake();
  void read();
  void repeat();
  void flush();
  void arm();
  void fail(const char* what);
  void end(const std::string& why);

  DtlsUser& user_;
  DtlsEndPtr end_;
  std::unique_ptr<Timer> repeat_timer_;
  std::unique_ptr<Timer> deadline_;
  State state_ = State::handshake;
};

}  // namespace periplex::link

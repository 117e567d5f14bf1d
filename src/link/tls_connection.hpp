// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "link/tls_context.hpp"
#include "loop/event_loop.hpp"

struct bio_st;
struct ssl_st;

namespace periplex::link {

/// Who is at the other end of a TLS connection, as its certificate says.
struct TlsPeer {
  std::string common_name;  ///< empty: it has no certificate
  std::string fingerprint;  ///< SHA-256, 64 hexadecimal digits; empty likewise
  std::string cipher;       ///< of the connection
  std::string protocol;     ///< that both ends have agreed on (ALPN); empty: none was named
  /// Agent: all certificates that the gate has shown, in PEM form, its own first. None was checked that `Peer` does not
  /// say.
  std::vector<std::string> chain;
};

/// Who uses a TLS connection. It may call the connection from inside these calls, but not destroy it there.
class TlsUser {
 public:
  /// The handshake is done. An agent hears of a gate that does not like its certificate only after this.
  virtual void tls_established(const TlsPeer& peer) = 0;
  virtual void tls_received(ByteView bytes) = 0;
  /// The next bytes to send, about `limit` of them; empty: nothing more until `output_ready`.
  virtual Bytes tls_output(std::size_t limit) = 0;
  /// The connection has ended, the socket is closed; nothing follows. `why` is empty where an end said so in an
  /// orderly way, and a text for people otherwise.
  virtual void tls_closed(const std::string& why) = 0;

 protected:
  ~TlsUser() = default;
};

/// A TLS connection over a non-blocking stream socket on the loop.
///
/// Output is fetched from the user as late as possible: only once all that was fetched before is with the kernel, and
/// that is asked to keep little itself. So what becomes urgent overtakes all but the last few dozen kilobytes.
class TlsConnection {
 public:
  static constexpr std::size_t kFetch = 32 * 1024;
  static constexpr int kKernelKeeps = 64 * 1024;         ///< TCP_NOTSENT_LOWAT
  static constexpr std::size_t kMaxUnsent = 512 * 1024;  ///< of TLS's own answers
  static constexpr Nanoseconds kHandshakeTime = std::chrono::seconds(10);
  static constexpr Nanoseconds kFinishTime = std::chrono::seconds(5);

  /// The socket is connected, or about to be (connect(2) in progress). Calls to `user` come from the loop only.
  TlsConnection(EventLoop& loop, UniqueFd socket, const TlsContext& context, TlsUser& user);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  /// `tls_output` has something now.
  void output_ready();
  /// Asks the network to let this connection's packets pass others (DSCP EF, RFC 3246). It may not listen.
  void mark_urgent();
  /// For those who want to know where it leads.
  [[nodiscard]] int socket() const { return socket_.get(); }
  /// Sends what is there, then `last_words`, and ends the connection, within kFinishTime. `tls_closed` follows; nothing
  /// else does.
  void finish(Bytes last_words);

 private:
  enum class State : std::uint8_t { handshake, established, finishing, closed };

  void on_socket(std::uint32_t events);
  bool read_socket();
  void advance();
  void handshake();
  void read_plain();
  void write_plain(ByteView bytes);
  void pump();
  void say_no_more();
  bool flush();
  void fail(const char* what);
  void close(const std::string& why);
  [[nodiscard]] TlsPeer peer() const;

  EventLoop& loop_;
  UniqueFd socket_;
  TlsUser& user_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  bio_st* from_network_ = nullptr;  // both belong to ssl_
  bio_st* to_network_ = nullptr;
  std::unique_ptr<EventLoop::Watch> watch_;
  std::unique_ptr<Timer> deadline_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  State state_ = State::handshake;
  bool pump_deferred_ = false;
  bool wants_write_ = false;
  bool said_all_ = false;
  Bytes unsent_;
  std::size_t sent_ = 0;  // of unsent_
};

}  // namespace periplex::link

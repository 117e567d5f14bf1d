// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "link/reception.hpp"
#include "link/session.hpp"
#include "link/tls_connection.hpp"

namespace periplex::link {

/// One TLS connection on its way to being a session's lane, and while it is one. At the gate it reads HELLO first, as
/// only that says whose it is.
///
/// A session's host keeps one per lane, passes `output_ready` on to it, and `detach`es it where the session drops it.
class LaneConnection final : private TlsUser {
 public:
  /// Who made the connection. It may call it from inside these calls, but not destroy it there.
  class Owner {
   public:
    /// TLS is there. An agent `attach`es it to its session, and calls `AgentSession::connected`.
    virtual void connection_established(LaneConnection& connection) { (void)connection; }
    /// Gate: HELLO is there. Find the session or make it, `attach` to it, and then call `GateSession::attach`; or
    /// `refuse`. That a session is joined or resumed with the certificate that it began with is checked here.
    virtual void connection_greeted(LaneConnection& connection, const Hello& hello) {
      (void)hello, connection.refuse(Reason::unexpected_frame);
    }
    /// It is closed. Where it was a session's lane, the session knows. `why` is a text for people, or empty.
    virtual void connection_closed(LaneConnection& connection, const std::string& why) = 0;

   protected:
    ~Owner() = default;
  };

  LaneConnection(EventLoop& loop, UniqueFd socket, const TlsContext& context, Owner& owner);

  /// From now on the bytes are those of `lane`.
  void attach(Session& session, Lane lane);
  /// The session has nothing to do with it any more; it ends after the last words.
  void detach(Bytes last_words);
  /// Gate: another protocol than ours was agreed on. From now on `user` takes the place of a session; it may be called
  /// from inside `Owner::connection_established` only. `tls_closed` is passed on, too, before `connection_closed`.
  void divert(TlsUser& user);
  /// Gate: says why it is not taken, and ends it.
  void refuse(Reason reason, std::string_view text = {});
  void output_ready() { connection_.output_ready(); }

  /// For those who want to know where it leads.
  [[nodiscard]] int socket() const { return connection_.socket(); }
  /// Who is at the other end, once TLS is there.
  [[nodiscard]] const TlsPeer& peer() const { return peer_; }

 private:
  void tls_established(const TlsPeer& peer) override;
  void tls_received(ByteView bytes) override;
  Bytes tls_output(std::size_t limit) override;
  void tls_closed(const std::string& why) override;
  void greet(ByteView bytes);

  Owner& owner_;
  bool gate_;
  TlsPeer peer_;
  Session* session_ = nullptr;
  TlsUser* diverted_ = nullptr;
  Lane lane_ = Lane::realtime;
  std::optional<Reception> reception_;  // gate, until HELLO is there
  std::unique_ptr<Timer> greeting_time_;
  TlsConnection connection_;
};

}  // namespace periplex::link

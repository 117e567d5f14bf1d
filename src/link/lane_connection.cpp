// SPDX-License-Identifier: Apache-2.0
#include "link/lane_connection.hpp"

#include <utility>

namespace periplex::link {

LaneConnection::LaneConnection(EventLoop& loop, UniqueFd socket, const TlsContext& context, Owner& owner)
    : owner_(owner),
      gate_(context.role() == TlsContext::Role::gate),
      greeting_time_(loop.make_timer([this] { refuse(Reason::silent, "no HELLO"); })),
      connection_(loop, std::move(socket), context, *this) {}

void LaneConnection::attach(Session& session, Lane lane) {
  greeting_time_->cancel();
  session_ = &session;
  lane_ = lane;
  if (lane == Lane::realtime) connection_.mark_urgent();
}

void LaneConnection::detach(Bytes last_words) {
  greeting_time_->cancel();
  session_ = nullptr;
  connection_.finish(std::move(last_words));
}

void LaneConnection::divert(TlsUser& user) {
  greeting_time_->cancel();
  reception_.reset();
  diverted_ = &user;
}

void LaneConnection::refuse(Reason reason, std::string_view text) {
  detach(refusal(reason, text));
}

void LaneConnection::tls_established(const TlsPeer& peer) {
  peer_ = peer;
  if (gate_) {
    reception_.emplace();
    greeting_time_->arm(kGreetingTime);
  }
  owner_.connection_established(*this);
}

void LaneConnection::tls_received(ByteView bytes) {
  if (diverted_ != nullptr) return diverted_->tls_received(bytes);
  if (reception_) return greet(bytes);
  if (session_ != nullptr) session_->receive(lane_, bytes);
}

void LaneConnection::greet(ByteView bytes) {
  const auto hello = reception_->receive(bytes);
  if (hello && !*hello) return;
  const Reception reception = std::move(*std::exchange(reception_, std::nullopt));
  if (!hello) return refuse(hello.error());
  greeting_time_->cancel();
  owner_.connection_greeted(*this, **hello);
  if (session_ != nullptr && !reception.rest().empty()) session_->receive(lane_, reception.rest());
}

Bytes LaneConnection::tls_output(std::size_t limit) {
  if (diverted_ != nullptr) return diverted_->tls_output(limit);
  return session_ == nullptr ? Bytes() : session_->take(lane_, limit);
}

void LaneConnection::tls_closed(const std::string& why) {
  greeting_time_->cancel();
  if (Session* session = std::exchange(session_, nullptr)) session->disconnected(lane_);
  if (TlsUser* user = std::exchange(diverted_, nullptr)) user->tls_closed(why);
  owner_.connection_closed(*this, why);
}

}  // namespace periplex::link

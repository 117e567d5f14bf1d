// SPDX-License-Identifier: Apache-2.0
#include "agent/datagram_line.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace periplex::agent {

DatagramLine::DatagramLine(EventLoop& loop, std::optional<link::TlsContext> context)
    : loop_(loop),
      context_(std::move(context)),
      retry_(loop.make_timer([this] { attempt(); })),
      patience_(loop.make_timer([this] { give_up("the network lets no datagrams through"); })) {}

DatagramLine::~DatagramLine() = default;

void DatagramLine::begin(link::AgentSession& session, const link::LaneConnection& lane) {
  if (!context_) return;
  session_ = &session;
  lane_ = &lane;
  retry_->arm(Nanoseconds(0));
}

void DatagramLine::end() {
  session_ = nullptr;
  lane_ = nullptr;
  pause_ = kFirstPause;
  retry_->cancel();
  drop();
}

void DatagramLine::attempt() {
  if (session_ == nullptr) return;
  drop();
  auto socket = connect_udp_beside(lane_->socket());
  if (!socket) return give_up(std::strerror(socket.error()));
  attempt_.socket = std::make_unique<UdpSocket>(loop_, std::move(*socket), [this](const UdpPath&, ByteView datagram) {
    if (attempt_.association) attempt_.association->receive(datagram);
  });
  attempt_.socket->mark_urgent();
  link::DtlsUser& user = *this;
  attempt_.association = std::make_unique<link::DtlsAssociation>(loop_, *context_, user);
  patience_->arm(kPatience);
  attempt_.association->start();
}

void DatagramLine::give_up(std::string why) {
  trouble_ = std::move(why);
  drop();
  if (session_ == nullptr) return;
  retry_->arm(pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
  session_->datagrams_disconnected();
}

void DatagramLine::drop() {
  patience_->cancel();
  if (attempt_.association) attempt_.association->close();
  loop_.defer([old = std::exchange(attempt_, {})] {});
}

void DatagramLine::changed() {
  if (session_ == nullptr || !attempt_.association) return;
  if (!session_->datagrams().works()) return patience_->arm(kPatience);
  patience_->cancel();
  pause_ = kFirstPause;
  trouble_.clear();
}

void DatagramLine::send(ByteView bytes) {
  if (attempt_.association) attempt_.association->send(bytes);
}

/// Whose certificate it is has been checked: that of a gate of our host.
void DatagramLine::dtls_established(const std::string&) {
  session_->datagrams_connected();
}

void DatagramLine::dtls_received(ByteView bytes) {
  if (session_ != nullptr) session_->receive_datagram(bytes);
}

void DatagramLine::dtls_send(ByteView datagram) {
  attempt_.socket->send({}, datagram);
}

void DatagramLine::dtls_closed(const std::string& why) {
  give_up(why.empty() ? "the gate has ended it" : why);
}

}  // namespace periplex::agent

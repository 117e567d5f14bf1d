// SPDX-License-Identifier: Apache-2.0
// TLS over pairs of sockets, with certificates that are right and wrong.
#include "link/testing/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "link/tls_connection.hpp"

namespace periplex::link {
namespace {

using std::chrono::hours;
using testing::Certificates;
using ::testing::HasSubstr;

class End final : public TlsUser {
 public:
  End(EventLoop& loop, UniqueFd socket, const TlsContext::Settings& settings)
      : context_(*TlsContext::make(settings)), connection(loop, std::move(socket), context_, *this) {}

  void tls_established(const TlsPeer& who) override { peer = who; }
  void tls_received(ByteView bytes) override { received += as_text(bytes); }
  Bytes tls_output(std::size_t limit) override {
    const std::string piece = to_send.substr(0, limit);
    to_send.erase(0, piece.size());
    return Bytes(as_bytes(piece).begin(), as_bytes(piece).end());
  }
  void tls_closed(const std::string& why) override { closed = why; }

  void send(std::string text) {
    to_send += std::move(text);
    connection.output_ready();
  }

  std::optional<TlsPeer> peer;
  std::optional<std::string> closed;
  std::string received;
  std::string to_send;

 private:
  TlsContext context_;

 public:
  TlsConnection connection;
};

struct Meeting {
  Meeting(const TlsContext::Settings& gate_settings, const TlsContext::Settings& agent_settings)
      : gate(loop, std::move(sockets.first), gate_settings), agent(loop, std::move(sockets.second), agent_settings) {}

  bool run(const std::function<bool()>& done) { return testing::run_until(loop, done); }
  bool establish() {
    return run([this] { return gate.peer && agent.peer; });
  }
  bool both_closed() {
    return run([this] { return gate.closed && agent.closed; });
  }

  EventLoop loop;
  std::pair<UniqueFd, UniqueFd> sockets = testing::connected_sockets();
  End gate;
  End agent;
};

TEST(Tls, TellsEachEndWhoTheOtherIs) {
  const Certificates& certificates = Certificates::get();
  Meeting meeting(certificates.for_gate(), certificates.for_agent());
  ASSERT_TRUE(meeting.establish());
  EXPECT_EQ(meeting.gate.peer->common_name, "seat-1");
  EXPECT_EQ(meeting.gate.peer->fingerprint, inspect(certificates.seat.certificate)->fingerprint);
  EXPECT_EQ(meeting.agent.peer->common_name, "gate");
  EXPECT_EQ(meeting.agent.peer->fingerprint, inspect(certificates.gate.certificate)->fingerprint);
}

TEST(Tls, CarriesMuchInBothDirectionsAtOnce) {
  const Certificates& certificates = Certificates::get();
  Meeting meeting(certificates.for_gate(), certificates.for_agent());
  ASSERT_TRUE(meeting.establish());
  const std::string much(3'000'000, 'g');
  const std::string more(2'000'000, 'a');
  meeting.gate.send(much);
  meeting.agent.send(more);
  EXPECT_TRUE(meeting.run(
      [&] { return meeting.agent.received.size() >= much.size() && meeting.gate.received.size() >= more.size(); }));
  EXPECT_EQ(meeting.agent.received, much);
  EXPECT_EQ(meeting.gate.received, more);
}

TEST(Tls, DeliversTheLastWordsThoughTheFarEndGoesOnTalking) {
  const Certificates& certificates = Certificates::get();
  Meeting meeting(certificates.for_gate(), certificates.for_agent());
  ASSERT_TRUE(meeting.establish());
  meeting.agent.send(std::string(1'000'000, 'a'));
  const ByteView words = as_bytes("goodbye");
  meeting.gate.connection.finish(Bytes(words.begin(), words.end()));
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_EQ(meeting.agent.received, "goodbye");
  EXPECT_EQ(*meeting.gate.closed, "");
  EXPECT_EQ(*meeting.agent.closed, "");
}

TEST(Tls, SaysSoWhenAConnectionEndsWithoutAWord) {
  const Certificates& certificates = Certificates::get();
  EventLoop loop;
  auto [at_gate, at_agent] = testing::connected_sockets();
  End gate(loop, std::move(at_gate), certificates.for_gate());
  {
    End agent(loop, std::move(at_agent), certificates.for_agent());
    ASSERT_TRUE(testing::run_until(loop, [&] { return gate.peer && agent.peer; }));
  }
  ASSERT_TRUE(testing::run_until(loop, [&] { return gate.closed.has_value(); }));
  EXPECT_EQ(*gate.closed, "the connection ended without a word");
}

TEST(Tls, RefusesAnAgentOfAnotherAuthority) {
  const Certificates& certificates = Certificates::get();
  const auto other = make_authority("another");
  TlsContext::Settings agent = certificates.for_agent();
  agent.own = *issue(*other, "seat-1", CertificateUse::seat);
  Meeting meeting(certificates.for_gate(), agent);
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_FALSE(meeting.gate.peer);
  EXPECT_THAT(*meeting.gate.closed, HasSubstr("the far end's certificate: unable to get local issuer certificate"));
  EXPECT_THAT(*meeting.agent.closed, HasSubstr("alert unknown ca"));
}

TEST(Tls, RefusesAGateOfAnotherAuthority) {
  const Certificates& certificates = Certificates::get();
  const auto other = make_authority("another");
  TlsContext::Settings gate = certificates.for_gate();
  gate.own = *issue(*other, "gate", CertificateUse::gate);
  Meeting meeting(gate, certificates.for_agent());
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_FALSE(meeting.agent.peer);
  EXPECT_FALSE(meeting.gate.peer);
  EXPECT_THAT(*meeting.agent.closed, HasSubstr("unable to get local issuer certificate"));
}

TEST(Tls, RefusesASeatThatPosesAsAGate) {
  const Certificates& certificates = Certificates::get();
  TlsContext::Settings gate = certificates.for_gate();
  gate.own = certificates.seat;
  Meeting meeting(gate, certificates.for_agent());
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_FALSE(meeting.agent.peer);
  EXPECT_THAT(*meeting.agent.closed, HasSubstr("purpose"));
}

TEST(Tls, RefusesACertificateThatHasExpired) {
  const Certificates& certificates = Certificates::get();
  TlsContext::Settings agent = certificates.for_agent();
  agent.own = *issue(certificates.authority, "seat-1", CertificateUse::seat, {.from = hours(-9), .until = hours(-1)});
  Meeting meeting(certificates.for_gate(), agent);
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_EQ(*meeting.gate.closed, "the TLS handshake failed: the far end's certificate: certificate has expired");
  EXPECT_THAT(*meeting.agent.closed, HasSubstr("alert certificate expired"));
}

TEST(Tls, RefusesAnAgentWithoutCertificate) {
  const Certificates& certificates = Certificates::get();
  TlsContext::Settings agent = certificates.for_agent();
  agent.own = {};
  Meeting meeting(certificates.for_gate(), agent);
  ASSERT_TRUE(meeting.both_closed());
  EXPECT_THAT(*meeting.gate.closed, HasSubstr("peer did not return a certificate"));
  EXPECT_THAT(*meeting.agent.closed, HasSubstr("alert certificate required"));
}

TEST(Tls, LetsAnAgentWithoutCertificateInWhereItMayBePaired) {
  const Certificates& certificates = Certificates::get();
  TlsContext::Settings gate = certificates.for_gate();
  gate.peer = TlsContext::Peer::may_be_unknown;
  Meeting meeting(gate, {.role = TlsContext::Role::agent, .peer = TlsContext::Peer::anybody});
  ASSERT_TRUE(meeting.establish());
  EXPECT_EQ(meeting.gate.peer->fingerprint, "");
  EXPECT_EQ(meeting.agent.peer->fingerprint, inspect(certificates.gate.certificate)->fingerprint);
}

TEST(Tls, UsesChachaWhereEitherEndPrefersIt) {
  const Certificates& certificates = Certificates::get();
  for (const auto& [gate_prefers, agent_prefers] : {std::pair(false, false), {false, true}, {true, false}}) {
    TlsContext::Settings gate = certificates.for_gate();
    TlsContext::Settings agent = certificates.for_agent();
    gate.prefer_chacha = gate_prefers;
    agent.prefer_chacha = agent_prefers;
    Meeting meeting(gate, agent);
    ASSERT_TRUE(meeting.establish());
    EXPECT_EQ(meeting.gate.peer->cipher,
              gate_prefers || agent_prefers ? "TLS_CHACHA20_POLY1305_SHA256" : "TLS_AES_128_GCM_SHA256");
  }
}

TEST(Tls, RefusesWhoSpeaksSomethingElse) {
  EventLoop loop;
  auto [socket, stranger] = testing::connected_sockets();
  End gate(loop, std::move(socket), Certificates::get().for_gate());
  const std::string words = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(stranger.get(), words.data(), words.size(), 0), static_cast<ssize_t>(words.size()));
  ASSERT_TRUE(testing::run_until(loop, [&] { return gate.closed.has_value(); }));
  EXPECT_THAT(*gate.closed, HasSubstr("the TLS handshake failed: http request"));
}

TEST(Tls, ContextSaysWhatIsWrongWithItsSettings) {
  const Certificates& certificates = Certificates::get();
  TlsContext::Settings settings = certificates.for_gate();
  settings.own.key = certificates.seat.key;
  EXPECT_THAT(TlsContext::make(settings).error(), HasSubstr("our key does not belong to our certificate"));
  settings = certificates.for_gate();
  settings.authority.clear();
  EXPECT_THAT(TlsContext::make(settings).error(), HasSubstr("the authority: not a certificate"));
  settings.peer = TlsContext::Peer::anybody;
  EXPECT_FALSE(TlsContext::make(settings));
}

}  // namespace
}  // namespace periplex::link

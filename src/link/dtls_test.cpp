// SPDX-License-Identifier: Apache-2.0
// DTLS associations between an agent and a gate, in memory. OpenSSL repeats flights by its own clock: what is lost
// costs real time here, a quarter of a second at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <random>

#include "link/datagram.hpp"
#include "link/dtls_association.hpp"
#include "link/dtls_reception.hpp"
#include "link/dtls_wire.hpp"
#include "link/testing/tls.hpp"

namespace periplex::link {
namespace {

using std::chrono::milliseconds;
using testing::Certificates;
using ::testing::HasSubstr;
using testing::run_until;

TlsContext::Settings for_datagrams(TlsContext::Settings settings) {
  settings.transport = TlsContext::Transport::datagrams;
  settings.protocols = {kDatagramProtocol};
  return settings;
}

class User final : public DtlsUser {
 public:
  void dtls_established(const std::string& fingerprint) override { far_end = fingerprint; }
  void dtls_received(ByteView bytes) override { received.emplace_back(as_text(bytes)); }
  void dtls_send(ByteView datagram) override {
    longest = std::max(longest, datagram.size());
    carry(Bytes(datagram.begin(), datagram.end()));
  }
  void dtls_closed(const std::string& why) override { closed = why; }

  std::function<void(Bytes)> carry = [](const Bytes&) {};
  std::optional<std::string> far_end;
  std::vector<std::string> received;
  std::optional<std::string> closed;
  std::size_t longest = 0;
};

/// A gate that is at one address, and an agent at another.
class Dtls : public ::testing::Test {
 protected:
  void begin(const TlsContext::Settings& agent = Certificates::get().for_agent(),
             const TlsContext::Settings& gate = Certificates::get().for_gate()) {
    auto gates = TlsContext::make(for_datagrams(gate));
    auto agents = TlsContext::make(for_datagrams(agent));
    ASSERT_TRUE(gates && agents);
    reception.emplace(loop, std::move(*gates));
    agent_user.carry = [this](Bytes datagram) {
      to_gate.push_back(datagram);
      loop.defer([this, bytes = std::move(datagram)] {
        if (passes()) gate_gets(bytes);
      });
    };
    gate_user.carry = [this](Bytes datagram) {
      to_agent.push_back(datagram);
      loop.defer([this, bytes = std::move(datagram)] {
        if (passes()) at_agent->receive(bytes);
      });
    };
    at_agent.emplace(loop, *agents, agent_user);
    at_agent->start();
  }
  bool passes() { return random() % 100 >= loss; }
  void gate_gets(ByteView datagram) {
    if (at_gate) return at_gate->receive(datagram);
    auto verdict = reception->receive(datagram, as_bytes("address"));
    if (verdict.answer) gate_user.carry(std::move(*verdict.answer));
    if (!verdict.accepted) return;
    at_gate.emplace(loop, std::move(verdict.accepted), gate_user);
    at_gate->start();
  }
  bool established() {
    return run_until(loop, [this] { return agent_user.far_end && gate_user.far_end; });
  }
  bool over() {
    return run_until(loop, [this] { return agent_user.closed || gate_user.closed; });
  }

  EventLoop loop;
  std::minstd_rand random{7};
  unsigned loss = 0;
  User agent_user, gate_user;
  std::vector<Bytes> to_gate, to_agent;
  std::optional<DtlsReception> reception;
  std::optional<DtlsAssociation> at_agent, at_gate;
};

TEST_F(Dtls, ShowsEachEndTheOthersCertificateAndCarriesDatagrams) {
  begin();
  ASSERT_TRUE(established()) << agent_user.closed.value_or("") << gate_user.closed.value_or("");
  EXPECT_EQ(*gate_user.far_end, inspect(Certificates::get().seat.certificate)->fingerprint);
  EXPECT_EQ(*agent_user.far_end, inspect(Certificates::get().gate.certificate)->fingerprint);
  const std::string longest(Datagram::kMaxSize, 'x');
  at_agent->send(as_bytes("key"));
  at_agent->send(as_bytes(longest));
  at_agent->send(Bytes(Datagram::kMaxSize + 1));  // is not sent
  at_gate->send(as_bytes("light"));
  ASSERT_TRUE(run_until(loop, [&] { return gate_user.received.size() == 2 && !agent_user.received.empty(); }));
  EXPECT_EQ(gate_user.received, (std::vector<std::string>{"key", longest}));
  EXPECT_EQ(agent_user.received, std::vector<std::string>{"light"});
  EXPECT_LE(std::max(agent_user.longest, gate_user.longest), 1200U);
  at_agent->close();
  ASSERT_TRUE(over());
  EXPECT_EQ(gate_user.closed, "");
}

TEST_F(Dtls, GetsOverLosses) {
  loss = 30;
  begin();
  ASSERT_TRUE(established()) << agent_user.closed.value_or("") << gate_user.closed.value_or("");
}

TEST_F(Dtls, DropsWhatIsReplayedOrChangedOnTheWay) {
  begin();
  ASSERT_TRUE(established());
  to_gate.clear();
  at_agent->send(as_bytes("key"));
  ASSERT_TRUE(run_until(loop, [&] { return !gate_user.received.empty(); }));
  ASSERT_EQ(to_gate.size(), 1U);
  at_gate->receive(to_gate[0]);
  to_gate[0].back() ^= std::byte{1};
  at_gate->receive(to_gate[0]);
  at_gate->receive({});
  at_gate->receive(Bytes(2000, std::byte{0x17}));
  at_agent->send(as_bytes("next"));
  ASSERT_TRUE(run_until(loop, [&] { return gate_user.received.size() > 1; })) << gate_user.closed.value_or("");
  EXPECT_EQ(gate_user.received, (std::vector<std::string>{"key", "next"}));
  EXPECT_FALSE(gate_user.closed) << *gate_user.closed;
}

TEST_F(Dtls, RefusesCertificatesOfAnotherAuthorityOrForAnotherUse) {
  const auto stranger = make_authority("stranger").value();
  auto wrong = Certificates::get().for_agent();
  wrong.own = issue(stranger, "seat-1", CertificateUse::seat).value();
  begin(wrong);
  ASSERT_TRUE(over());
  ASSERT_TRUE(run_until(loop, [&] { return gate_user.closed.has_value(); }));
  EXPECT_THAT(*gate_user.closed, HasSubstr("certificate"));
  EXPECT_FALSE(gate_user.far_end);
}

TEST_F(Dtls, RefusesAnAgentThatPretendsToBeAGate) {
  auto wrong = Certificates::get().for_gate();
  wrong.own = Certificates::get().seat;
  begin(Certificates::get().for_agent(), wrong);
  ASSERT_TRUE(run_until(loop, [&] { return agent_user.closed.has_value(); }));
  EXPECT_THAT(*agent_user.closed, HasSubstr("certificate"));
  EXPECT_FALSE(agent_user.far_end);
}

TEST_F(Dtls, RefusesWhoHasNoCertificate) {
  auto none = Certificates::get().for_agent();
  none.own = {};
  begin(none);
  ASSERT_TRUE(run_until(loop, [&] { return gate_user.closed.has_value(); }));
  EXPECT_FALSE(gate_user.far_end);
}

TEST_F(Dtls, KeepsNothingOfWhoHasNotProvenTheAddress) {
  begin();
  ASSERT_TRUE(run_until(loop, [&] { return at_gate.has_value(); }));
  ASSERT_GE(to_gate.size(), 2U);
  const Bytes first = to_gate[0];
  const Bytes second = to_gate[1];
  // The greeting without a cookie is answered with less than it is, however often; no association begins.
  for (int i = 0; i < 100; ++i) {
    const auto verdict = reception->receive(first, as_bytes("spoofed"));
    EXPECT_FALSE(verdict.accepted);
    ASSERT_TRUE(verdict.answer);
    EXPECT_LT(verdict.answer->size(), first.size());
  }
  // A cookie is good at the address that it was made for.
  EXPECT_FALSE(reception->receive(second, as_bytes("spoofed")).accepted);
  EXPECT_TRUE(reception->receive(second, as_bytes("address")).accepted);
  // Whatever else comes there means nothing.
  for (const Bytes& rubbish : {Bytes(), Bytes(1), Bytes(60, std::byte{0x16}), Bytes(2000, std::byte{0xff})}) {
    const auto verdict = reception->receive(rubbish, as_bytes("somebody"));
    EXPECT_FALSE(verdict.accepted || verdict.answer);
  }
  EXPECT_TRUE(reception->receive(first, as_bytes("another")).answer);
}

TEST(DtlsCookie, IsTooOldAfterAMinute) {
  struct Hand final : Clock {
    [[nodiscard]] Nanoseconds now() const override { return time; }
    Nanoseconds time{};
  } clock;
  EventLoop loop;
  const auto gates = TlsContext::make(for_datagrams(Certificates::get().for_gate()));
  const auto agents = TlsContext::make(for_datagrams(Certificates::get().for_agent()));
  DtlsReception reception(clock, *gates);
  User user;
  std::vector<Bytes> sent;
  user.carry = [&](Bytes datagram) { sent.push_back(std::move(datagram)); };
  DtlsAssociation agent(loop, *agents, user);
  agent.start();
  const auto verdict = reception.receive(sent.at(0), as_bytes("a"));
  agent.receive(*verdict.answer);
  ASSERT_EQ(sent.size(), 2U);
  clock.time = DtlsReception::kCookieTime;
  EXPECT_TRUE(reception.receive(sent[1], as_bytes("a")).accepted);
  clock.time = 2 * DtlsReception::kCookieTime;
  EXPECT_FALSE(reception.receive(sent[1], as_bytes("a")).accepted);
}

}  // namespace
}  // namespace periplex::link

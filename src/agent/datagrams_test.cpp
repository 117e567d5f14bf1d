// SPDX-License-Identifier: Apache-2.0
// An agent and a gate on real ports of this computer, TCP and UDP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/agent.hpp"
#include "attachment/testing/attached.hpp"
#include "gate/testing/fake_worker.hpp"
#include "gate/testing/host.hpp"

namespace periplex::agent {
namespace {

using namespace std::chrono_literals;
using link::testing::Certificates;

class PortDialler final : public Dialler {
 public:
  explicit PortDialler(std::uint16_t port) : port_(port) {}
  void dial(unsigned, OnSocket on_socket) override { on_socket(gate::testing::dial(port_)); }

 private:
  const std::uint16_t port_;
};

link::TlsContext::Settings seat_with(const link::Credentials& own) {
  return {.role = link::TlsContext::Role::agent,
          .own = own,
          .authority = Certificates::get().authority.certificate,
          .protocols = {link::kLinkProtocol}};
}

link::TlsContext for_datagrams(link::TlsContext::Settings settings) {
  settings.transport = link::TlsContext::Transport::datagrams;
  settings.protocols = {link::kDatagramProtocol};
  return link::TlsContext::make(settings).value();
}

class DatagramsOnPorts : public ::testing::Test {
 protected:
  std::unique_ptr<Agent> make(const link::Credentials& own, std::optional<link::TlsContext> datagrams) {
    auto made = std::make_unique<Agent>(host.loop, *link::TlsContext::make(seat_with(own)), dialler,
                                        Agent::Settings{.name = "desk",
                                                        .served = {.instances = instances.source()},
                                                        .patience = {.first = 5ms},
                                                        .datagrams = std::move(datagrams)});
    made->start();
    return made;
  }
  std::unique_ptr<Agent> make() {
    return make(Certificates::get().seat, for_datagrams(seat_with(Certificates::get().seat)));
  }
  link::Credentials other_seat() {
    auto own = link::issue(Certificates::get().authority, "other", link::CertificateUse::seat).value();
    host.add_seat("other", own.certificate);
    host.apply();
    return own;
  }
  std::string shown(const std::string& seat = "desk") {
    for (const gate::SeatState& one : host.gate->state().seats) {
      if (one.name == seat) return one.datagrams;
    }
    return {};
  }
  bool up(const Agent& agent) {
    return host.run([&] { return agent.session().up(link::Lane::realtime) && agent.session().up(link::Lane::bulk); });
  }

  gate::testing::Host host;
  PortDialler dialler{host.port};
  attachment::testing::CountedInstances instances;
};

TEST_F(DatagramsOnPorts, AreUsedAndBothEndsSaySo) {
  const auto agent = make();
  ASSERT_TRUE(host.run([&] { return agent->session().datagrams().works() && shown() == "used"; }))
      << agent->datagram_trouble();
  EXPECT_TRUE(agent->session().datagrams().round_trip());
}

TEST_F(DatagramsOnPorts, CarryBothDirectionsOfAnUrgentChannel) {
  gate::testing::FakeWorker worker{host.loop, "vm1"};
  host.add_machine("vm1", worker.path);
  host.bind("desk", "*", "vm1");
  // The test's own agent on the lanes: what is in the channel is the test's, too.
  gate::testing::Agent lanes(host.loop, host.port, Certificates::get().for_agent());
  DatagramLine line(host.loop, for_datagrams(Certificates::get().for_agent()));
  lanes.line = {.begin = [&](const link::LaneConnection& lane) { line.begin(*lanes.session, lane); },
                .end = [&] { line.end(); },
                .changed = [&] { line.changed(); },
                .send = [&](ByteView bytes) { line.send(bytes); }};
  ASSERT_TRUE(lanes.session->offer({.id = "keys", .kind = link::Kind::input, .name = "Keys"}));
  lanes.connect();
  worker.want("desk/keys");
  ASSERT_TRUE(host.run([&] { return worker.streams.contains("desk/keys") && lanes.channels.contains("keys"); }));
  ASSERT_TRUE(host.run([&] { return lanes.session->datagrams().works(); })) << line.trouble();
  std::string got;
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "key " + std::to_string(i) + ";";
    sent += key;
    (void)lanes.session->send(lanes.channels["keys"], as_bytes(key));
    ASSERT_EQ(::send(worker.streams["desk/keys"].get(), key.data(), key.size(), 0), static_cast<ssize_t>(key.size()));
    host.run_for(1ms);
  }
  ASSERT_TRUE(host.run([&] {
    char bytes[4096];
    const ssize_t count = ::recv(worker.streams["desk/keys"].get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (count > 0) got.append(bytes, static_cast<std::size_t>(count));
    return got.size() >= sent.size() && lanes.received["keys"] >= sent.size();
  }));
  EXPECT_EQ(got, sent);
  EXPECT_EQ(lanes.received["keys"], sent.size());
  EXPECT_GT(lanes.session->datagrams().counters().sent, 50U);
  EXPECT_GT(lanes.session->datagrams().counters().received, 50U);
  lanes.cut();
  EXPECT_FALSE(lanes.session->datagrams().is_open());
  lanes.connect();
  ASSERT_TRUE(host.run([&] { return lanes.session->datagrams().works() && shown() == "used"; })) << line.trouble();
}

TEST_F(DatagramsOnPorts, AreNotWantedByAGateThatTakesNone) {
  host.takes_datagrams = false;
  host.restart();
  const auto agent = make();
  ASSERT_TRUE(up(*agent));
  EXPECT_FALSE(agent->session().takes_datagrams());
  EXPECT_EQ(shown(), "off");
}

TEST_F(DatagramsOnPorts, AreNotWantedByAnAgentThatHasNone) {
  const auto agent = make(Certificates::get().seat, std::nullopt);
  ASSERT_TRUE(up(*agent));
  EXPECT_EQ(shown(), "off");
}

TEST_F(DatagramsOnPorts, ThatTheNetworkDropsLeaveTheSessionAsItIs) {
  // Another port than the one that agents send to: nobody listens there.
  sockaddr_in elsewhere{};
  elsewhere.sin_family = AF_INET;
  elsewhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  host.datagrams = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(::bind(host.datagrams.get(), reinterpret_cast<const sockaddr*>(&elsewhere), sizeof elsewhere), 0);
  host.restart();
  const auto agent = make();
  ASSERT_TRUE(up(*agent));
  ASSERT_TRUE(host.run([&] { return !agent->datagram_trouble().empty(); }));
  EXPECT_THAT(agent->datagram_trouble(), ::testing::HasSubstr("lets no datagrams through"));
  EXPECT_EQ(shown(), "blocked");
  EXPECT_TRUE(agent->session().up(link::Lane::realtime));
}

TEST_F(DatagramsOnPorts, OfAnotherSeatDoNotBelongToASession) {
  const link::Credentials other = other_seat();
  // Everything is right but the certificate: it is that of a seat that may come, and whose session is there.
  const auto its_own = make(other, for_datagrams(seat_with(other)));
  ASSERT_TRUE(host.run([&] { return its_own->session().datagrams().works(); }));
  const auto thief = make(Certificates::get().seat, for_datagrams(seat_with(other)));
  ASSERT_TRUE(up(*thief));
  ASSERT_TRUE(host.run([&] { return !thief->datagram_trouble().empty(); }));
  EXPECT_FALSE(thief->session().datagrams().works());
  EXPECT_EQ(shown("desk"), "blocked");
  EXPECT_TRUE(its_own->session().datagrams().works());
  EXPECT_EQ(shown("other"), "used");
}

TEST_F(DatagramsOnPorts, OfAStrangersCertificateAreRefused) {
  const auto stranger = link::make_authority("stranger").value();
  const auto wrong = link::issue(stranger, "desk", link::CertificateUse::seat).value();
  const auto agent = make(Certificates::get().seat, for_datagrams(seat_with(wrong)));
  ASSERT_TRUE(up(*agent));
  ASSERT_TRUE(host.run([&] { return !agent->datagram_trouble().empty(); }));
  EXPECT_FALSE(agent->session().datagrams().works());
  EXPECT_EQ(shown(), "blocked");
}

TEST_F(DatagramsOnPorts, ComeBackWithAGateThatIsStartedAgain) {
  const auto agent = make();
  ASSERT_TRUE(host.run([&] { return agent->session().datagrams().works(); }));
  host.restart();
  ASSERT_TRUE(host.run([&] { return shown() == "used" && agent->session().datagrams().works(); }));
}

}  // namespace
}  // namespace periplex::agent

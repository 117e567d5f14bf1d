// SPDX-License-Identifier: Apache-2.0
// A gate on a real port, with agents that behave and others that do not, and workers.
#include "gate/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gate/testing/fake_worker.hpp"
#include "gate/testing/host.hpp"
#include "link/messages.hpp"
#include "link/reception.hpp"

namespace periplex::gate {
namespace {

using namespace std::chrono_literals;
using link::testing::Certificates;
using testing::Agent;
using ::testing::Contains;
using testing::FakeWorker;
using ::testing::HasSubstr;
using testing::Host;

class GateTest : public ::testing::Test {
 protected:
  /// A seat with a certificate of its own, that may come.
  link::TlsContext::Settings seat(const std::string& name) {
    const auto own = link::issue(Certificates::get().authority, name, link::CertificateUse::seat).value();
    host.add_seat(name, own.certificate);
    host.apply();
    return {.role = link::TlsContext::Role::agent,
            .own = own,
            .authority = Certificates::get().authority.certificate,
            .protocols = {link::kLinkProtocol}};
  }
  std::unique_ptr<Agent> agent(const link::TlsContext::Settings& tls = Certificates::get().for_agent()) {
    auto made = std::make_unique<Agent>(host.loop, host.port, tls);
    made->connect();
    return made;
  }
  static ByteView read(const UniqueFd& stream, Bytes& into) {
    const ssize_t count = ::recv(stream.get(), into.data(), into.size(), MSG_DONTWAIT);
    return ByteView(into).first(count > 0 ? static_cast<std::size_t>(count) : 0);
  }
  static bool at_end(const UniqueFd& stream) {
    char byte = 0;
    return ::recv(stream.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  /// An attached peripheral "stick" of "desk", with a worker of "vm1".
  void attach(Agent& at, const std::string& id = "stick", const std::string& name = "desk") {
    ASSERT_TRUE(at.session->offer({.id = id, .kind = link::Kind::disk, .name = "Stick"}));
    ASSERT_TRUE(host.run([&] { return at.up(); })) << ::testing::PrintToString(at.closed_connections);
    worker.want(name + "/" + id);
    ASSERT_TRUE(host.run([&] { return worker.streams.contains(name + "/" + id); }));
    ASSERT_TRUE(host.run([&] { return at.channels.contains(id); }));
  }

  Host host;
  FakeWorker worker{host.loop, "vm1"};
};

class BoundGateTest : public GateTest {
 protected:
  BoundGateTest() {
    host.add_machine("vm1", worker.path);
    host.bind("*", "*", "vm1");
  }
};

TEST_F(BoundGateTest, GivesAWorkerTheStreamItWaitsFor) {
  const auto desk = agent();
  ASSERT_TRUE(desk->session->offer({.id = "stick", .kind = link::Kind::disk, .name = "Stick"}));
  ASSERT_TRUE(host.run([&] { return host.state_of("desk", "stick") == "offered"; }));
  EXPECT_TRUE(desk->channels.empty()) << "nobody has asked for it";
  attach(*desk);
  EXPECT_EQ(host.state_of("desk", "stick"), "attached");
  const UniqueFd& stream = worker.streams["desk/stick"];
  ASSERT_EQ(::send(stream.get(), "hello", 5, 0), 5);
  ASSERT_TRUE(host.run([&] { return desk->received["stick"] == 5; }));
  desk->session->send(desk->channels["stick"], as_bytes("there"));
  Bytes text(16);
  std::string heard;
  ASSERT_TRUE(host.run([&] { return (heard += as_text(read(stream, text))).size() == 5; }));
  EXPECT_EQ(heard, "there");
  worker.leave("desk/stick");
  ASSERT_TRUE(host.run([&] { return at_end(stream); }));
  EXPECT_TRUE(host.run([&] { return desk->closed.contains("stick"); }));
  EXPECT_EQ(host.state_of("desk", "stick"), "offered");
}

TEST_F(BoundGateTest, AStreamEndsWithItsLaneAndANewOneBegins) {
  const auto desk = agent();
  attach(*desk);
  desk->cut();
  ASSERT_TRUE(host.run([&] { return at_end(worker.streams["desk/stick"]); }));
  EXPECT_EQ(host.state_of("desk", "stick"), "held");
  desk->connect();
  ASSERT_TRUE(host.run([&] { return worker.count["desk/stick"] == 2; }));
  ASSERT_EQ(::send(worker.streams["desk/stick"].get(), "again", 5, 0), 5);
  EXPECT_TRUE(host.run([&] { return desk->received["stick"] == 5; }));
}

TEST_F(BoundGateTest, AWorkerThatComesBackGetsItsStreamsAgain) {
  const auto desk = agent();
  attach(*desk);
  worker.stop();
  ASSERT_TRUE(host.run([&] { return desk->closed.contains("stick"); }));
  EXPECT_EQ(host.state_of("desk", "stick"), "offered");
  worker.start();
  ASSERT_TRUE(host.run([&] { return worker.streams.contains("desk/stick"); }));
  EXPECT_TRUE(host.run([&] { return host.state_of("desk", "stick") == "attached"; }));
}

TEST_F(BoundGateTest, AGateThatComesBackFindsSeatsAndWorkers) {
  const auto desk = agent();
  attach(*desk);
  host.restart();
  desk->cut();
  desk->connect();
  ASSERT_TRUE(host.run([&] { return desk->ended.has_value(); })) << "nobody knows the session any more";
  EXPECT_EQ(desk->ended->reason, link::Reason::unknown_session);
  desk->cut();
  desk->begin();
  ASSERT_TRUE(desk->session->offer({.id = "stick"}));
  desk->connect();
  EXPECT_TRUE(host.run([&] { return worker.count["desk/stick"] == 2; }));
}

TEST_F(GateTest, NoMachineGetsWhatItMayNotHave) {
  host.add_machine("vm1", worker.path);
  host.bind("desk", "key*", "vm1");
  const auto desk = agent();
  ASSERT_TRUE(desk->session->offer({.id = "stick"}));
  attach(*desk, "keys");
  worker.want("desk/stick");
  host.run_for(300ms);
  EXPECT_FALSE(desk->channels.contains("stick"));
  host.bind("desk", "stick", "vm1");
  EXPECT_TRUE(host.run([&] { return worker.streams.contains("desk/stick"); }));
  host.configuration.bindings.clear();
  host.apply();
  EXPECT_TRUE(host.run([&] { return at_end(worker.streams["desk/stick"]) && at_end(worker.streams["desk/keys"]); }));
}

TEST_F(BoundGateTest, ASeatLendsNoMoreThanItsLimit) {
  host.configuration.limits = {{.seat = "other", .peripherals = 0}, {.seat = "des?", .peripherals = 1}};
  host.apply();
  const auto desk = agent();
  ASSERT_TRUE(desk->session->offer({.id = "more"}));
  attach(*desk, "keys");
  worker.want("desk/more");
  EXPECT_TRUE(host.run([&] { return host.state_of("desk", "more") == "wanted"; }));
  host.run_for(100ms);
  EXPECT_FALSE(desk->channels.contains("more"));
  host.configuration.limits[1].peripherals = 2;
  host.apply();
  EXPECT_TRUE(host.run([&] { return worker.streams.contains("desk/more"); }));
  EXPECT_EQ(worker.count["desk/keys"], 1U) << "it is not disturbed";
  host.configuration.limits[1].peripherals = 1;
  host.apply();
  EXPECT_TRUE(host.run([&] { return desk->closed.contains("more"); }));
  EXPECT_EQ(host.state_of("desk", "keys"), "attached");
  worker.leave("desk/keys");
  EXPECT_TRUE(host.run([&] { return worker.count["desk/more"] == 2; })) << "its place is free";
}

TEST_F(BoundGateTest, ASlowWorkerHoldsUpNobodyElse) {
  const auto desk = agent();
  attach(*desk, "stick");
  attach(*desk, "other");
  const Bytes much(16 << 20);
  std::size_t sent = 0;
  desk->on_writable = [&](const std::string& id, link::ChannelId channel) {
    if (id == "stick") sent += desk->session->send(channel, ByteView(much).subspan(sent));
  };
  desk->on_writable("stick", desk->channels["stick"]);
  host.run_for(500ms);
  // Window, sockets and queues; the rest waits at the agent.
  EXPECT_LT(sent, std::size_t{8} << 20);
  desk->session->send(desk->channels["other"], as_bytes("quick"));
  Bytes bytes(1 << 20);
  std::size_t quick = 0;
  EXPECT_TRUE(host.run([&] { return (quick += read(worker.streams["desk/other"], bytes).size()) == 5; }));
  std::size_t taken = 0;
  EXPECT_TRUE(host.run([&] { return (taken += read(worker.streams["desk/stick"], bytes).size()) == much.size(); }));
}

TEST_F(BoundGateTest, ASlowAgentStopsItsWorkerAndNobodyElse) {
  const auto desk = agent();
  attach(*desk, "stick");
  attach(*desk, "other");
  desk->consumes = false;
  const Bytes much(1 << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    const ssize_t count = ::send(worker.streams["desk/stick"].get(), much.data(), much.size(), MSG_DONTWAIT);
    if (count > 0) sent += static_cast<std::size_t>(count);
    host.loop.run_once(5ms);
  }
  EXPECT_LT(sent, std::size_t{8} << 20);
  ASSERT_EQ(::send(worker.streams["desk/other"].get(), "quick", 5, 0), 5);
  EXPECT_TRUE(host.run([&] { return desk->received["other"] == 5; }));
}

TEST_F(BoundGateTest, AskedAndRefusedItDoesNotAskAgainUntilTheWorkerDoes) {
  const auto desk = agent();
  desk->on_started = [&](const std::string&, link::ChannelId channel) {
    host.loop.defer([&, channel] { desk->session->close(channel, {.reason = link::Reason::taken_back}); });
  };
  ASSERT_TRUE(desk->session->offer({.id = "stick"}));
  worker.want("desk/stick");
  ASSERT_TRUE(host.run([&] { return host.state_of("desk", "stick") == "refused"; }));
  const link::ChannelId first = desk->channels["stick"];
  host.run_for(1500ms);
  EXPECT_EQ(desk->channels["stick"], first);
  desk->on_started = nullptr;
  worker.leave("desk/stick");
  worker.want("desk/stick");
  EXPECT_TRUE(host.run([&] { return host.state_of("desk", "stick") == "attached"; }));
}

TEST_F(GateTest, AStrangersCertificateIsRefusedInTheHandshake) {
  const auto other = link::make_authority("another").value();
  const auto own = link::issue(other, "desk", link::CertificateUse::seat).value();
  const auto stranger = agent(
      {.role = link::TlsContext::Role::agent, .own = own, .authority = Certificates::get().authority.certificate});
  ASSERT_TRUE(host.run([&] { return stranger->closed_connections.size() == 2; }));
  EXPECT_FALSE(stranger->up());
  EXPECT_TRUE(host.gate->state().seats.empty());
}

TEST_F(GateTest, AnUnknownSeatAndOneWithoutACertificateAreToldThatTheyMayNotCome) {
  const auto own = link::issue(Certificates::get().authority, "lab", link::CertificateUse::seat).value();
  auto tls = Certificates::get().for_agent();
  tls.own = own;
  const auto lab = agent(tls);
  ASSERT_TRUE(host.run([&] { return lab->ended.has_value(); }));
  EXPECT_EQ(lab->ended->reason, link::Reason::not_allowed);
  tls.own = {};
  const auto nobody = agent(tls);
  ASSERT_TRUE(host.run([&] { return nobody->ended.has_value(); }));
  EXPECT_EQ(nobody->ended->reason, link::Reason::not_allowed);
  EXPECT_TRUE(host.gate->state().seats.empty());
}

TEST_F(GateTest, ASeatThatMayNotComeAnyMoreIsPutOut) {
  const auto desk = agent();
  ASSERT_TRUE(host.run([&] { return desk->up(); }));
  host.configuration.seats.clear();
  host.apply();
  ASSERT_TRUE(host.run([&] { return desk->ended.has_value(); }));
  EXPECT_EQ(desk->ended->reason, link::Reason::not_allowed);
}

TEST_F(BoundGateTest, ALyingAgentEndsItsOwnSessionOnly) {
  const auto desk = agent();
  const auto liar = agent(seat("liar"));
  attach(*desk);
  attach(*liar, "stick", "liar");
  // A frame that only a gate may send.
  liar->session->close(liar->channels["stick"], {});
  liar->cut();
  struct Raw final : link::TlsUser {
    void tls_established(const link::TlsPeer&) override { up = true; }
    void tls_received(ByteView) override {}
    Bytes tls_output(std::size_t) override { return std::exchange(output, {}); }
    void tls_closed(const std::string&) override { closed = true; }
    Bytes output;
    bool up = false, closed = false;
  } raw;
  raw.output = link::make_frame(link::FrameType::hello, {}, link::Hello{.name = "liar"}.payload());
  const Bytes lie = link::make_frame(link::FrameType::data, link::ChannelId(99), Bytes(100));
  raw.output.insert(raw.output.end(), lie.begin(), lie.end());
  const auto settings = seat("raw");
  link::TlsConnection connection(host.loop, testing::dial(host.port), *link::TlsContext::make(settings), raw);
  ASSERT_TRUE(host.run([&] { return raw.up; }));
  connection.output_ready();
  EXPECT_TRUE(host.run([&] { return raw.closed; }));
  EXPECT_TRUE(desk->up());
  ASSERT_EQ(::send(worker.streams["desk/stick"].get(), "still", 5, 0), 5);
  EXPECT_TRUE(host.run([&] { return desk->received["stick"] == 5; }));
}

TEST_F(GateTest, AnotherSeatCannotTakeOverASession) {
  const auto desk = agent();
  ASSERT_TRUE(host.run([&] { return desk->up(); }));
  // The thief knows everything but the key: its HELLO is the victim's.
  desk->cut();
  auto thief = std::make_unique<Agent>(host.loop, host.port, seat("thief"));
  thief->session = std::move(desk->session);
  desk->begin();
  thief->connect();
  ASSERT_TRUE(host.run([&] { return desk->ended.has_value(); })) << "the session's host is still the first one";
  EXPECT_EQ(desk->ended->reason, link::Reason::unknown_session);
}

TEST_F(GateTest, TheSameSeatTwiceIsTheNewOne) {
  const auto first = agent();
  ASSERT_TRUE(host.run([&] { return first->up(); }));
  const auto second = agent();
  ASSERT_TRUE(host.run([&] { return second->up() && first->ended; }));
  EXPECT_EQ(first->ended->reason, link::Reason::replaced);
  EXPECT_EQ(host.gate->state().seats.size(), 1U);
}

TEST_F(GateTest, ManyWhoSayNothingKeepNobodyOut) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(testing::dial(host.port));
  const auto desk = agent();
  EXPECT_TRUE(host.run([&] { return desk->up(); }));
}

/// Enrolment over the same port.
class EnrolmentTest : public GateTest {
 protected:
  void dial(const link::Token& with) {
    result.reset();
    client = link::EnrolmentClient::start(host.loop, testing::dial(host.port), with, key, "me", [this](auto got) {
               result = std::move(got);
             }).value();
  }
  link::Token token = *link::Token::make(link::inspect(Certificates::get().authority.certificate)->fingerprint);
  const std::string key = *link::make_key();
  std::optional<std::expected<link::Enrolled, std::string>> result;
  std::unique_ptr<link::EnrolmentClient> client;
};

TEST_F(EnrolmentTest, TheParentDecidesAndTheSeatMayCome) {
  dial(token);
  ASSERT_TRUE(host.run([&] { return !host.questions.empty(); }));
  EXPECT_EQ(host.questions[0].digest, link::digest_of(token.secret));
  const auto certificate =
      link::sign(Certificates::get().authority, host.questions[0].request, "lab", link::CertificateUse::seat).value();
  host.add_seat("lab", certificate);
  host.apply();
  host.gate->answer({.id = host.questions[0].id, .name = "lab", .certificate = certificate});
  ASSERT_TRUE(host.run([&] { return result.has_value(); }));
  ASSERT_TRUE(*result) << result->error();
  const auto lab =
      agent({.role = link::TlsContext::Role::agent, .own = (*result)->credentials, .authority = (*result)->authority});
  EXPECT_TRUE(host.run([&] { return lab->up(); }));
}

TEST_F(EnrolmentTest, ATokenThatIsNotTakenIsRefusedWithAReason) {
  dial(token);
  ASSERT_TRUE(host.run([&] { return !host.questions.empty(); }));
  host.gate->answer({.id = host.questions[0].id + 1, .certificate = "for another"});
  host.gate->answer({.id = host.questions[0].id, .why = "it has been used"});
  ASSERT_TRUE(host.run([&] { return result.has_value(); }));
  EXPECT_THAT(result->error(), HasSubstr("it has been used"));
}

TEST_F(EnrolmentTest, WhoComesToEnrolCannotUseTheLink) {
  auto tls = Certificates::get().for_agent();
  tls.protocols = {link::kEnrolmentProtocol};
  const auto desk = agent(tls);
  ASSERT_TRUE(host.run([&] { return desk->ended || desk->closed_connections.size() == 2; }));
  EXPECT_TRUE(host.gate->state().seats.empty());
}

TEST_F(EnrolmentTest, AnUnknownProtocolIsRefused) {
  auto tls = Certificates::get().for_agent();
  tls.protocols = {"http/1.1"};
  const auto desk = agent(tls);
  ASSERT_TRUE(host.run([&] { return desk->closed_connections.size() == 2; }));
  EXPECT_THAT(desk->closed_connections, Contains(HasSubstr("no application protocol")));
}

}  // namespace
}  // namespace periplex::gate

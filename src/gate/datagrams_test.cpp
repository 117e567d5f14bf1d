// SPDX-License-Identifier: Apache-2.0
// The gate's UDP socket, with strangers at real ports. Seats that come there are in agent/datagrams_test.cpp.
#include "gate/datagrams.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

#include "link/datagram.hpp"
#include "link/testing/tls.hpp"

namespace periplex::gate {
namespace {

using link::testing::Certificates;
using link::testing::run_until;

link::TlsContext context_of(link::TlsContext::Settings settings) {
  settings.transport = link::TlsContext::Transport::datagrams;
  settings.protocols = {link::kDatagramProtocol};
  return link::TlsContext::make(settings).value();
}

UniqueFd udp_socket(sockaddr_in& address, bool connected) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* given = reinterpret_cast<const sockaddr*>(&address);
  if (connected) return ::connect(socket.get(), given, sizeof address) == 0 ? std::move(socket) : UniqueFd();
  if (::bind(socket.get(), given, sizeof address) != 0) return {};
  socklen_t size = sizeof address;
  (void)::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return socket;
}

/// Somebody with a seat's certificate, who says what the test likes.
class Stranger final : public link::DtlsUser {
 public:
  Stranger(EventLoop& on, sockaddr_in gate, const link::TlsContext& own)
      : loop(on),
        context(own),
        socket(loop, udp_socket(gate, true), [this](const UdpPath&, ByteView datagram) { dtls->receive(datagram); }) {
    begin();
  }
  void begin() {
    established = false;
    dtls = std::make_unique<link::DtlsAssociation>(loop, context, *this);
    dtls->start();
  }
  void dtls_established(const std::string&) override { established = true; }
  void dtls_received(ByteView) override { ++received; }
  void dtls_send(ByteView datagram) override { socket.send({}, datagram); }
  void dtls_closed(const std::string&) override { closed = true; }

  bool established = false;
  bool closed = false;
  unsigned received = 0;
  EventLoop& loop;
  const link::TlsContext& context;
  UdpSocket socket;
  std::unique_ptr<link::DtlsAssociation> dtls;
};

class DatagramsTest : public ::testing::Test {
 protected:
  DatagramsTest() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    datagrams = std::make_unique<Datagrams>(loop, udp_socket(address, false), [this](const std::string& fingerprint) {
      asked.push_back(fingerprint);
      return nullptr;
    });
    datagrams->use(context_of(Certificates::get().for_gate()));
  }
  Stranger& come() {
    strangers.push_back(std::make_unique<Stranger>(loop, address, agents));
    return *strangers.back();
  }

  EventLoop loop;
  sockaddr_in address{};
  const link::TlsContext agents = context_of(Certificates::get().for_agent());
  std::vector<std::string> asked;
  std::unique_ptr<Datagrams> datagrams;
  std::vector<std::unique_ptr<Stranger>> strangers;
};

TEST_F(DatagramsTest, KeepNobodyWhoseSessionIsNotThere) {
  Stranger& one = come();
  ASSERT_TRUE(run_until(loop, [&] { return one.established; }));
  ASSERT_TRUE(run_until(loop, [&] { return datagrams->associations() == 1; }));
  one.dtls->send(
      link::Datagram{.type = link::Datagram::Type::bind, .binding = {.session = link::SessionId(1)}}.bytes());
  ASSERT_TRUE(run_until(loop, [&] { return one.closed; }));
  EXPECT_EQ(asked, std::vector<std::string>{link::inspect(Certificates::get().seat.certificate)->fingerprint});
  EXPECT_EQ(datagrams->associations(), 0U);
  EXPECT_EQ(one.received, 0U);
  Stranger& rude = come();
  ASSERT_TRUE(run_until(loop, [&] { return rude.established; }));
  rude.dtls->send(as_bytes("let me in"));
  ASSERT_TRUE(run_until(loop, [&] { return rude.closed; }));
  EXPECT_EQ(asked.size(), 1U);
}

TEST_F(DatagramsTest, KeepFewStrangersAndTheNewestOfThem) {
  for (std::size_t i = 0; i < Datagrams::kMaxStrangers + 4; ++i) {
    Stranger& one = come();
    ASSERT_TRUE(run_until(loop, [&] { return one.established; }));
  }
  EXPECT_EQ(datagrams->associations(), Datagrams::kMaxStrangers);
  ASSERT_TRUE(run_until(loop, [&] { return strangers[3]->closed; }));
  EXPECT_FALSE(strangers[4]->closed);
  EXPECT_FALSE(strangers.back()->closed);
}

TEST_F(DatagramsTest, KeepNothingOfWhoSaysNoHandshake) {
  UdpSocket socket(loop, udp_socket(address, true), [](const UdpPath&, ByteView) { ADD_FAILURE(); });
  for (std::size_t size : {1, 13, 60, 1200}) socket.send({}, Bytes(size, std::byte{22}));
  Stranger& one = come();
  ASSERT_TRUE(run_until(loop, [&] { return one.established; }));
  EXPECT_EQ(datagrams->associations(), 1U);
}

TEST_F(DatagramsTest, TakeAnotherAssociationFromTheAddressOfAnOlderOne) {
  Stranger& one = come();
  ASSERT_TRUE(run_until(loop, [&] { return one.established && datagrams->associations() == 1; }));
  one.begin();  // as a program that was started again and has got the same port
  ASSERT_TRUE(run_until(loop, [&] { return one.established; }));
  one.dtls->send(as_bytes("let me in"));
  ASSERT_TRUE(run_until(loop, [&] { return one.closed; })) << "it is the new one that is heard";
}

}  // namespace
}  // namespace periplex::gate

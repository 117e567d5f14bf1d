// SPDX-License-Identifier: Apache-2.0
#include "control/server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

#include "control/client.hpp"
#include "machine/testing/fake_operations.hpp"

namespace periplex::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class ControlServerTest : public ::testing::Test {
 protected:
  ControlServerTest() {
    path = ::testing::TempDir() + fmt::format("periplex-control-{}.sock", ::getpid());
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening.get(), 64), 0);
    server = std::make_unique<Server>(loop, std::move(listening), fake);
  }
  ~ControlServerTest() override { ::unlink(path.c_str()); }

  UniqueFd connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  /// Lets the server handle all that is ready.
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) loop.run_once(0ns);
  }
  static void send(const UniqueFd& socket, std::string_view text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string receive(const UniqueFd& socket) {
    std::string text(1 << 20, '\0');
    const ssize_t count = ::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  static bool closed(const UniqueFd& socket) {
    char byte = 0;
    return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  std::string path;
  EventLoop loop;
  machine::testing::FakeOperations fake;
  std::unique_ptr<Server> server;
};

TEST_F(ControlServerTest, AnswersSeveralRequestsOnOneConnection) {
  const UniqueFd socket = connect();
  for (int i = 0; i < 3; ++i) {
    send(socket, "GET /v1/peripherals HTTP/1.1\r\n\r\n");
    turn();
    EXPECT_THAT(receive(socket), HasSubstr("{\"devices\":[]}"));
  }
  EXPECT_EQ(server->sessions(), 1u);
}

TEST_F(ControlServerTest, AnswersRequestsThatCameTogetherInOrder) {
  const UniqueFd socket = connect();
  send(socket, "POST /v1/peripherals/a/eject HTTP/1.1\r\n\r\nPOST /v1/peripherals/b/eject HTTP/1.1\r\n\r\n");
  turn();
  EXPECT_THAT(fake.asked, ElementsAre("eject a", "eject b"));
}

TEST_F(ControlServerTest, EndsTheConnectionWhenTheClientWantsOrSpeaksNoHttp) {
  const UniqueFd polite = connect();
  send(polite, "GET /v1/machine HTTP/1.1\r\nConnection: close\r\n\r\n");
  const UniqueFd rude = connect();
  send(rude, "\x16\x03\x01 what?\r\n\r\n");
  turn();
  EXPECT_THAT(receive(polite), HasSubstr("200 OK"));
  EXPECT_TRUE(closed(polite));
  EXPECT_THAT(receive(rude), HasSubstr("400 Bad Request"));
  EXPECT_TRUE(closed(rude));
  EXPECT_EQ(server->sessions(), 0u);
}

TEST_F(ControlServerTest, ASlowClientHoldsNobodyUp) {
  const UniqueFd slow = connect();
  send(slow, "POST /v1/type HTTP/1.1\r\nContent-Le");
  turn();
  const UniqueFd quick = connect();
  send(quick, "GET /v1/machine HTTP/1.1\r\n\r\n");
  turn();
  EXPECT_THAT(receive(quick), HasSubstr("200 OK"));
  send(slow, "ngth: 12\r\n\r\n{\"text\":");
  turn();
  send(slow, "\"a\"}");
  turn();
  EXPECT_THAT(fake.asked, ElementsAre("type - a"));
}

TEST_F(ControlServerTest, AClientThatDoesNotReadIsNotReadFrom) {
  for (int i = 0; i < 2000; ++i) {
    fake.plugged.push_back(
        {.description = machine::parse_specification("keyboard,id=k").value(), .leds = {}, .terminal = {}});
  }
  const UniqueFd socket = connect();
  for (int i = 0; i < 8; ++i) send(socket, "GET /v1/peripherals HTTP/1.1\r\n\r\n");
  turn(20);
  const std::uint64_t wakeups = loop.wakeups();
  loop.run_once(1ms);
  EXPECT_EQ(loop.wakeups(), wakeups + 1) << "it sleeps although there are requests to read";
  std::size_t received = 0;
  for (int i = 0; i < 1000; ++i) {
    received += receive(socket).size();
    turn(1);
  }
  EXPECT_GT(received, 8u * 2000 * 50);
}

TEST_F(ControlServerTest, ANewConnectionTakesThePlaceOfTheOneIdleTheLongest) {
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < Server::kMaxSessions; ++i) {
    clients.push_back(connect());
    turn();
  }
  send(clients[0], "GET /v1/machine HTTP/1.1\r\n\r\n");
  turn();
  clients.push_back(connect());
  turn();
  EXPECT_EQ(server->sessions(), Server::kMaxSessions);
  EXPECT_TRUE(closed(clients[1]));
  EXPECT_FALSE(closed(clients[0]));
}

TEST_F(ControlServerTest, ClientsThatNeverFinishTheirRequestsKeepNobodyOut) {
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < Server::kMaxSessions; ++i) {
    clients.push_back(connect());
    send(clients.back(), "POST /v1/ty");
    turn();
  }
  send(clients[0], "pe HTTP/1.1\r\n");
  turn();
  const UniqueFd honest = connect();
  send(honest, "GET /v1/machine HTTP/1.1\r\n\r\n");
  turn();
  EXPECT_THAT(receive(honest), HasSubstr("200 OK"));
  EXPECT_EQ(server->sessions(), Server::kMaxSessions);
  EXPECT_TRUE(closed(clients[1])) << "silent the longest";
}

TEST_F(ControlServerTest, DescriptorsComeWithTheRequest) {
  std::thread user([&] {
    auto client = Client::connect(path);
    ASSERT_TRUE(client);
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int fd = file.get();
    const auto answer = client->call("POST", "/v1/peripherals", R"({"kind":"storage","id":"d"})", {&fd, 1});
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->status, 201u);
    EXPECT_EQ(client->call("POST", "/v1/peripherals", R"({"kind":"storage"})")->status, 400u) << "not twice";
    loop.stop();
  });
  loop.run();
  user.join();
  EXPECT_THAT(fake.asked, ElementsAre("attach storage d +file"));
}

TEST(ControlClient, SaysWhatToDoWhereNoMachineIs) {
  const auto client = Client::connect("/nonexistent/control.sock");
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().text, HasSubstr("no control socket"));
  EXPECT_THAT(client.error().advice, HasSubstr("is periplex-machine running?"));
  EXPECT_FALSE(Client::connect(std::string(200, 'a')));
}

}  // namespace
}  // namespace periplex::control

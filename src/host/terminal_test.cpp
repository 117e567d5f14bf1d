// SPDX-License-Identifier: Apache-2.0
#include "host/terminal.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace periplex::host {
namespace {

using namespace std::chrono_literals;

/// A terminal, the port at its one end, and programs that open the other.
class TerminalTest : public ::testing::Test, public usb::device::SerialLine::Port {
 protected:
  TerminalTest() : terminal(make()) { terminal->connect(*this); }

  std::unique_ptr<Terminal> make(std::string with_link = {}) {
    return Terminal::make(make_terminal_master().value(), std::move(with_link), loop).value();
  }
  [[nodiscard]] UniqueFd open() const {
    return UniqueFd(::open(terminal->path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  }
  /// Handles events until `done`, or for ten seconds.
  template <typename Done>
  [[nodiscard]] bool until(Done done) {
    const Nanoseconds end = loop.now() + 10s;
    while (!done() && loop.now() < end) loop.run_once(100ms);
    return done();
  }
  [[nodiscard]] std::string read_all() {
    std::string all;
    std::array<std::byte, 1000> room;
    while (const std::size_t got = terminal->read(room)) all += as_text(ByteView(room).first(got));
    return all;
  }
  /// What a program finds at its end.
  static std::string fetch(const UniqueFd& program) {
    std::string all;
    std::array<char, 1000> room{};
    for (ssize_t got = 0; (got = ::read(program.get(), room.data(), room.size())) > 0;) {
      all.append(room.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  void send(const UniqueFd& program, std::string_view text) {
    ASSERT_EQ(::write(program.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  void on_readable() override { ++readable; }
  void on_writable() override { ++writable; }
  void on_connection() override { ++changes; }

  EventLoop loop;
  std::unique_ptr<Terminal> terminal;
  int readable = 0;
  int writable = 0;
  int changes = 0;
  const std::string link = ::testing::TempDir() + fmt::format("periplex-terminal-{}", ::getpid());
};

TEST_F(TerminalTest, CarriesEveryByteUnchangedBothWays) {
  const UniqueFd program = open();
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  send(program, bytes);
  EXPECT_EQ(read_all(), bytes);
  ASSERT_TRUE(until([&] { return terminal->connected(); }));
  EXPECT_EQ(terminal->write(as_bytes(bytes)), bytes.size());
  EXPECT_EQ(fetch(program), bytes);
  EXPECT_EQ(read_all(), "") << "no echo";
}

TEST_F(TerminalTest, TellsOnceWhenSomethingHasCome) {
  const UniqueFd program = open();
  ASSERT_TRUE(until([&] { return terminal->connected(); }));
  send(program, "unasked");
  for (int i = 0; i < 3; ++i) loop.run_once(0ns);
  EXPECT_EQ(readable, 0) << "nobody has asked";
  EXPECT_EQ(read_all(), "unasked");
  send(program, "asked");
  ASSERT_TRUE(until([&] { return readable == 1; }));
  for (int i = 0; i < 3; ++i) loop.run_once(0ns);
  EXPECT_EQ(readable, 1);
  EXPECT_EQ(read_all(), "asked");
}

TEST_F(TerminalTest, WritesWaitForAProgram) {
  EXPECT_FALSE(terminal->connected());
  EXPECT_EQ(terminal->write(as_bytes("early")), 0u);
  const UniqueFd program = open();
  ASSERT_TRUE(until([&] { return writable == 1; }));
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(terminal->write(as_bytes("early")), 5u);
  EXPECT_EQ(fetch(program), "early");
}

TEST_F(TerminalTest, WritesWaitForASlowProgramAndLoseNothing) {
  const UniqueFd program = open();
  ASSERT_TRUE(until([&] { return terminal->connected(); }));
  std::string all;
  for (int i = 0; all.size() < 200'000; ++i) all += fmt::format("{},", i);
  std::size_t sent = 0;
  std::string got;
  int refused = 0;
  while (sent < all.size()) {
    const std::size_t taken = terminal->write(as_bytes(std::string_view(all).substr(sent)));
    sent += taken;
    if (sent == all.size()) break;
    const int before = writable;
    ++refused;
    got += fetch(program);
    ASSERT_TRUE(until([&] { return writable > before; }));
  }
  ASSERT_TRUE(until([&] { return (got += fetch(program)).size() >= all.size(); }));
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(got == all);
}

TEST_F(TerminalTest, ProgramsComeAndGo) {
  for (int i = 1; i <= 3; ++i) {
    UniqueFd program = open();
    ASSERT_TRUE(until([&] { return terminal->connected(); }));
    EXPECT_EQ(terminal->write(as_bytes("hello")), 5u);
    EXPECT_EQ(fetch(program), "hello");
    send(program, "bye");
    program.reset();
    ASSERT_TRUE(until([&] { return !terminal->connected(); }));
    EXPECT_EQ(changes, 2 * i);
    EXPECT_EQ(read_all(), "bye") << "what it has written is read after it has gone";
    EXPECT_EQ(terminal->write(as_bytes("x")), 0u);
  }
}

TEST_F(TerminalTest, AProgramThatHasComeAndGoneIsHeard) {
  EXPECT_EQ(read_all(), "");
  send(open(), "quick");
  ASSERT_TRUE(until([&] { return readable > 0; }));
  EXPECT_EQ(read_all(), "quick");
}

TEST_F(TerminalTest, NobodyThereMeansNoWork) {
  open().reset();
  for (int i = 0; i < 5; ++i) loop.run_once(0ns);
  EXPECT_EQ(read_all(), "");
  EXPECT_EQ(terminal->write(as_bytes("x")), 0u);
  const std::uint64_t before = loop.wakeups();
  auto end = loop.make_timer([&] { loop.stop(); });
  end->arm(20ms);
  loop.run();
  EXPECT_LE(loop.wakeups(), before + 2);
}

TEST_F(TerminalTest, TheNextProgramFindsAWireAgain) {
  UniqueFd program = open();
  ASSERT_TRUE(until([&] { return terminal->connected(); }));
  termios settings{};
  ASSERT_EQ(::tcgetattr(program.get(), &settings), 0);
  EXPECT_EQ(settings.c_lflag & static_cast<tcflag_t>(ECHO | ICANON), 0u);
  settings.c_lflag |= ECHO | ICANON;
  ASSERT_EQ(::tcsetattr(program.get(), TCSANOW, &settings), 0);
  program.reset();
  ASSERT_TRUE(until([&] { return !terminal->connected(); }));
  program = open();
  ASSERT_EQ(::tcgetattr(program.get(), &settings), 0);
  EXPECT_EQ(settings.c_lflag & static_cast<tcflag_t>(ECHO | ICANON), 0u);
}

TEST_F(TerminalTest, TheLinkLivesAsLongAsTheTerminal) {
  auto linked = make(link);
  EXPECT_EQ(std::filesystem::read_symlink(link), linked->path());
  auto newer = make(link);
  EXPECT_EQ(std::filesystem::read_symlink(link), newer->path()) << "one that was left behind is replaced";
  linked.reset();
  EXPECT_EQ(std::filesystem::read_symlink(link), newer->path());
  newer.reset();
  EXPECT_FALSE(std::filesystem::is_symlink(link));
}

TEST_F(TerminalTest, ALinkReplacesNothingElse) {
  const auto refusal = [&](const std::string& path) {
    return Terminal::make(make_terminal_master().value(), path, loop).error();
  };
  ASSERT_TRUE(UniqueFd(::open(link.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
  EXPECT_EQ(refusal(link), TerminalError::link_taken);
  std::filesystem::remove(link);
  std::filesystem::create_symlink("/etc/passwd", link);
  EXPECT_EQ(refusal(link), TerminalError::link_taken);
  std::filesystem::remove(link);
  EXPECT_EQ(refusal("/nonexistent/link"), TerminalError::link_refused);
}

TEST_F(TerminalTest, WhatIsNoTerminalIsRefused) {
  const auto refusal = [&](int fd) { return Terminal::make(UniqueFd(fd), {}, loop).error(); };
  EXPECT_EQ(refusal(::open("/dev/null", O_RDWR | O_CLOEXEC)), TerminalError::not_a_terminal);
  EXPECT_EQ(refusal(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), TerminalError::not_a_terminal);
  EXPECT_EQ(refusal(open().release()), TerminalError::not_a_terminal) << "the wrong end";
  EXPECT_EQ(refusal(-1), TerminalError::not_a_terminal);
}

}  // namespace
}  // namespace periplex::host

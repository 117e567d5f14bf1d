// SPDX-License-Identifier: Apache-2.0
#include "loop/acceptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.hpp"

namespace periplex {
namespace {

using namespace std::chrono_literals;

/// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{.rlim_cur = static_cast<rlim_t>(next.get()), .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class AcceptorTest : public ::testing::Test {
 protected:
  AcceptorTest() {
    // The kernel chooses an abstract name: there is no file.
    UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listening.get(), generic, sizeof(sa_family_t)), 0);
    EXPECT_EQ(::getsockname(listening.get(), generic, &length), 0);
    EXPECT_EQ(::listen(listening.get(), 8), 0);
    EXPECT_EQ(::connect(client.get(), generic, length), 0);
    acceptor = std::make_unique<Acceptor>(loop, std::move(listening), [this](UniqueFd socket) {
      accepted.push_back(std::move(socket));
      if (stop_at_once) acceptor->stop();
    });
  }

  EventLoop loop;
  UniqueFd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<UniqueFd> accepted;
  bool stop_at_once = false;
  std::unique_ptr<Acceptor> acceptor;
};

TEST_F(AcceptorTest, AcceptsWhileItIsStarted) {
  loop.run_once(0ns);
  EXPECT_TRUE(accepted.empty());
  stop_at_once = true;
  acceptor->start();
  loop.run_once(0ns);
  EXPECT_EQ(accepted.size(), 1u);
}

TEST_F(AcceptorTest, PausesWhileThereAreNoDescriptorsAndGoesOnAfterwards) {
  // UndefinedBehaviorSanitizer opens a pipe for each type it meets for the first time; later it could not.
  log::info("loop", fmt::format("{} descriptors will be left", 0));
  acceptor->start();
  {
    const NoDescriptors none;
    const Nanoseconds end = loop.now() + 20ms;
    const std::uint64_t wakeups = loop.wakeups();
    while (loop.now() < end) loop.run_once(end - loop.now());
    EXPECT_LE(loop.wakeups(), wakeups + 4) << "it spins";
  }
  for (int i = 0; i < 100 && accepted.empty(); ++i) loop.run_once(100ms);
  EXPECT_EQ(accepted.size(), 1u);
}

}  // namespace
}  // namespace periplex

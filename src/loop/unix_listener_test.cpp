// SPDX-License-Identifier: Apache-2.0
#include "loop/unix_listener.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace periplex {
namespace {

class UnixListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "periplex-listen-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
    path = name + "/socket";
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  [[nodiscard]] struct stat status() const {
    struct stat found{};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0);
    return found;
  }

  [[nodiscard]] bool connect() const {
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  std::filesystem::path directory;
  std::string path;
};

TEST_F(UnixListenerTest, AClientCanConnect) {
  const auto socket = listen_unix({.path = path});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_TRUE(connect());
}

TEST_F(UnixListenerTest, OwnerGroupAndModeAreAsAsked) {
  const auto socket = listen_unix({.path = path, .mode = 0620, .owner = ::getuid(), .group = ::getgid()});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_EQ(status().st_mode & 07777, 0620u);
  EXPECT_EQ(status().st_uid, ::getuid());
  EXPECT_EQ(status().st_gid, ::getgid());
}

TEST_F(UnixListenerTest, OnlyTheOwnerMayConnectUnlessAskedOtherwise) {
  const auto socket = listen_unix({.path = path});
  ASSERT_TRUE(socket);
  EXPECT_EQ(status().st_mode & 07777, 0600u);
}

TEST_F(UnixListenerTest, AnAbandonedSocketIsReplaced) {
  ASSERT_TRUE(listen_unix({.path = path}));  // closed at once; the file stays
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(listen_unix({.path = path}));
}

TEST_F(UnixListenerTest, ASocketInUseIsLeftAlone) {
  const auto first = listen_unix({.path = path});
  ASSERT_TRUE(first);
  const auto second = listen_unix({.path = path});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("served by another process"), std::string::npos) << second.error();
  EXPECT_TRUE(connect());
}

TEST_F(UnixListenerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listen_unix({.path = path}));
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
}

TEST_F(UnixListenerTest, APathThatCannotBeASocketIsRefusedInWords) {
  EXPECT_FALSE(listen_unix({.path = ""}));
  EXPECT_FALSE(listen_unix({.path = std::string(200, 'x')}));
  const auto missing = listen_unix({.path = (directory / "none" / "socket").string()});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("No such file"), std::string::npos) << missing.error();
}

}  // namespace
}  // namespace periplex

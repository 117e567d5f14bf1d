// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/listen.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "vfio_user/client.hpp"

namespace periplex::vfio_user {
namespace {

class ListenTest : public ::testing::Test {
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

  std::filesystem::path directory;
  std::string path;
};

TEST_F(ListenTest, AClientCanConnect) {
  const auto socket = listen({.path = path});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_TRUE(Client::connect(path));
}

TEST_F(ListenTest, OwnerGroupAndModeAreAsAsked) {
  const auto socket = listen({.path = path, .mode = 0620, .owner = ::getuid(), .group = ::getgid()});
  ASSERT_TRUE(socket) << socket.error();
  EXPECT_EQ(status().st_mode & 07777, 0620u);
  EXPECT_EQ(status().st_uid, ::getuid());
  EXPECT_EQ(status().st_gid, ::getgid());
}

TEST_F(ListenTest, OnlyTheOwnerMayConnectUnlessAskedOtherwise) {
  const auto socket = listen({.path = path});
  ASSERT_TRUE(socket);
  EXPECT_EQ(status().st_mode & 07777, 0600u);
}

TEST_F(ListenTest, AnAbandonedSocketIsReplaced) {
  ASSERT_TRUE(listen({.path = path}));  // closed at once; the file stays
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(listen({.path = path}));
}

TEST_F(ListenTest, ASocketInUseIsLeftAlone) {
  const auto first = listen({.path = path});
  ASSERT_TRUE(first);
  const auto second = listen({.path = path});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("served by another process"), std::string::npos) << second.error();
  EXPECT_TRUE(Client::connect(path));
}

TEST_F(ListenTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listen({.path = path}));
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
}

TEST_F(ListenTest, APathThatCannotBeASocketIsRefusedInWords) {
  EXPECT_FALSE(listen({.path = ""}));
  EXPECT_FALSE(listen({.path = std::string(200, 'x')}));
  const auto missing = listen({.path = (directory / "none" / "socket").string()});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("No such file"), std::string::npos) << missing.error();
}

}  // namespace
}  // namespace periplex::vfio_user

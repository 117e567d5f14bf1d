// SPDX-License-Identifier: Apache-2.0
#include "sandbox/landlock.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/process.hpp"
#include "sandbox/testing/child.hpp"

namespace periplex::sandbox {
namespace {

using testing::in_child;
using testing::said;

class LandlockTest : public ::testing::Test {
 protected:
  LandlockTest() {
    std::filesystem::create_directories(directory);
    std::ofstream(file) << "text";
  }
  ~LandlockTest() override { std::filesystem::remove_all(directory); }
  /// `expected` where this kernel has Landlock, of that version.
  static std::string with_landlock(const std::string& expected, int version = 1) {
    if (landlock_version() == 0) return "not in force";
    return landlock_version() < version ? "ECONNREFUSED" : expected;
  }
  const std::string directory = ::testing::TempDir() + fmt::format("periplex-landlock-{}", ::getpid());
  const std::string file = directory + "/file";
};

TEST_F(LandlockTest, NothingCanBeOpenedMadeOrRemoved) {
  const auto outcome = in_child([&] {
    const int open_before = ::open(file.c_str(), O_RDONLY);
    if (!forbid_new_privileges() || !forbid_files()) return std::string("not in force");
    char byte = 0;
    return said(::open(file.c_str(), O_RDONLY)) + " " + said(::open("/proc", O_RDONLY | O_DIRECTORY)) + " " +
           said(::open((directory + "/new").c_str(), O_WRONLY | O_CREAT, 0600)) + " " + said(::unlink(file.c_str())) +
           " " + said(::read(open_before, &byte, 1));
  });
  EXPECT_EQ(outcome.said, with_landlock("EACCES EACCES EACCES EACCES ok"));
}

TEST_F(LandlockTest, WhatIsPermittedCanStillBeDone) {
  const auto outcome = in_child([&] {
    const std::array permitted{Permitted{directory, kRemoveFile}, Permitted{"/nowhere/at/all", kRemoveFile}};
    if (!forbid_new_privileges() || !forbid_files(permitted)) return std::string("not in force");
    return said(::open(file.c_str(), O_RDONLY)) + " " + said(::unlink(file.c_str()));
  });
  EXPECT_EQ(outcome.said, with_landlock("EACCES ok"));
}

TEST_F(LandlockTest, NoTcpConnectionIsMadeFromAbi4On) {
  const auto outcome = in_child([] {
    if (!forbid_new_privileges() || !forbid_files()) return std::string("not in force");
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(9);
    return said(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  });
  EXPECT_EQ(outcome.said, with_landlock("EACCES", 4));
}

}  // namespace
}  // namespace periplex::sandbox

// SPDX-License-Identifier: Apache-2.0
#include "machine/capture_file.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;

class Owner final : public usb::TransferOwner {
 public:
  void on_complete(usb::TransferPtr, usb::Completion) override {}
};

class CaptureFileTest : public ::testing::Test {
 protected:
  void record(CaptureFile& capture, std::size_t size = 1000) {
    const usb::Transfer transfer(owner, usb::TransferId(1), usb::EndpointAddress(2), usb::Direction::out,
                                 usb::TransferData::room(size));
    capture.observer().on_submitted({}, usb::TransferType::bulk, transfer);
  }
  static std::size_t drain(int fd) {
    std::array<char, 65536> bytes;
    std::size_t total = 0;
    for (ssize_t count = 0; (count = ::read(fd, bytes.data(), bytes.size())) > 0;)
      total += static_cast<std::size_t>(count);
    return total;
  }

  EventLoop loop;
  Owner owner;
};

TEST_F(CaptureFileTest, WritesToAFileOnceATurn) {
  UniqueFd file(::memfd_create("capture", MFD_CLOEXEC));
  const UniqueFd reader(::dup(file.get()));
  auto capture = CaptureFile::open(std::move(file), "name", loop);
  ASSERT_TRUE(capture);
  record(**capture);
  record(**capture);
  struct stat status{};
  EXPECT_EQ(::fstat(reader.get(), &status), 0);
  EXPECT_EQ(status.st_size, 0);
  loop.run_once(0ns);
  EXPECT_EQ(::fstat(reader.get(), &status), 0);
  EXPECT_GT(status.st_size, 2000);
  EXPECT_EQ((*capture)->view().packets, 2u);
}

TEST_F(CaptureFileTest, MayEndBeforeItsTurn) {
  UniqueFd file(::memfd_create("capture", MFD_CLOEXEC));
  const UniqueFd reader(::dup(file.get()));
  {
    auto capture = CaptureFile::open(std::move(file), "name", loop);
  }
  struct stat status{};
  EXPECT_EQ(::fstat(reader.get(), &status), 0);
  EXPECT_GT(status.st_size, 50);
  loop.run_once(0ns);
}

TEST_F(CaptureFileTest, AReaderThatStandsStillCostsPacketsAndNothingElse) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  auto capture = CaptureFile::open(UniqueFd(ends[1]), "fifo", loop);
  ASSERT_TRUE(capture);
  for (int i = 0; i < 200; ++i) {
    record(**capture, 60'000);
    loop.run_once(0ns);
  }
  EXPECT_GT((*capture)->view().dropped, 0u);
  EXPECT_LT((*capture)->view().packets, 100u);
  std::size_t total = 0;
  for (int i = 0; i < 500; ++i) {
    total += drain(reader.get());
    loop.run_once(0ns);
  }
  EXPECT_GT(total, (*capture)->view().packets * 60'000);
}

TEST_F(CaptureFileTest, AReaderThatGoesAwayEndsIt) {
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  auto capture = CaptureFile::open(UniqueFd(ends[1]), "fifo", loop);
  ASSERT_TRUE(capture);
  ::close(ends[0]);
  record(**capture);
  loop.run_once(0ns);
  record(**capture);
  EXPECT_EQ((*capture)->view().dropped, 1u);
}

TEST_F(CaptureFileTest, WhatCannotBeWrittenIsRefused) {
  EXPECT_FALSE(CaptureFile::open(UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC)), "null", loop));
  EXPECT_FALSE(CaptureFile::open(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), "exe", loop));
  EXPECT_FALSE(CaptureFile::open(UniqueFd(), "nothing", loop));
}

}  // namespace
}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#include "host/block_file.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "host/file_io.hpp"

namespace periplex::host {
namespace {

using namespace std::chrono_literals;
using usb::device::BlockClaim;
using usb::device::BlockError;
using usb::device::BlockOperation;
using usb::device::BlockRequest;
using usb::device::BlockResult;
using usb::device::BlockStart;
using enum BlockOperation;

constexpr std::size_t kSize = std::size_t{1} << 20;

UniqueFd memory_file(std::size_t size = kSize) {
  UniqueFd fd(::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  return fd;
}

/// A nameless file in the build folder, which lies on a disk as a rule.
UniqueFd disk_file(std::size_t size = kSize) {
  UniqueFd fd(::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd);
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  return fd;
}

struct BlockFileTest : ::testing::Test {
  std::unique_ptr<BlockFile> make(UniqueFd fd, BlockFileOptions options = {}) {
    auto file = BlockFile::make(std::move(fd), pool, options);
    EXPECT_TRUE(file);
    return std::move(*file);
  }
  BlockStart start(BlockFile& file, BlockOperation operation, std::uint64_t offset, MutableByteView data,
                   std::optional<BlockResult>& result) {
    return file.start({operation, offset, data.size(), {&data, 1}}, [&](const BlockResult& late) { result = late; });
  }
  /// Carries a request out, however long it takes.
  BlockResult run(BlockFile& file, BlockOperation operation, std::uint64_t offset = 0, MutableByteView data = {},
                  std::uint64_t length = 0) {
    std::optional<BlockResult> result;
    const BlockStart started = file.start({operation, offset, data.empty() ? length : data.size(), {&data, 1}},
                                          [&](const BlockResult& late) { result = late; });
    if (const auto* now = std::get_if<BlockResult>(&started)) return *now;
    wait_for([&] { return result.has_value(); });
    return *result;
  }
  template <typename Condition>
  void wait_for(Condition condition) {
    for (int i = 0; i < 10000 && !condition(); ++i) loop.run_once(1s);
    ASSERT_TRUE(condition());
  }

  EventLoop loop;
  IoPool pool{loop};
};

TEST_F(BlockFileTest, AFileInMemoryAnswersAtOnce) {
  const auto file = make(memory_file());
  ASSERT_TRUE(file->in_memory());
  EXPECT_TRUE(file->can_discard());
  EXPECT_EQ(file->size(), kSize);
  Bytes data(4096, std::byte{7});
  std::optional<BlockResult> late;
  for (const BlockOperation operation : {write, flush, read, discard}) {
    const BlockStart started = start(*file, operation, 8192, data, late);
    ASSERT_TRUE(std::holds_alternative<BlockResult>(started));
    EXPECT_TRUE(std::get<BlockResult>(started));
  }
  EXPECT_EQ(data[0], std::byte{7});
  EXPECT_TRUE(run(*file, read, 8192, data));
  EXPECT_EQ(data[4095], std::byte{0}) << "a discarded range reads as zeros";
  EXPECT_EQ(pool.threads(), 0u);
  EXPECT_FALSE(late);
}

TEST_F(BlockFileTest, ScatteredSpansAreReadAndWrittenInOrder) {
  for (const bool in_memory : {true, false}) {
    const auto file = make(in_memory ? memory_file() : disk_file());
    Bytes data(600 * 3);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i / 3);
    std::vector<MutableByteView> spans;  // more than one system call takes
    for (std::size_t i = 0; i < data.size(); i += 3) spans.push_back(MutableByteView(data).subspan(i, 3));
    std::optional<BlockResult> late;
    BlockStart started = file->start({write, 5, data.size(), spans}, [&](const BlockResult& r) { late = r; });
    if (!std::holds_alternative<BlockResult>(started)) wait_for([&] { return late.has_value(); });
    Bytes back(data.size());
    EXPECT_TRUE(run(*file, read, 5, back));
    EXPECT_EQ(back, data);
  }
}

TEST_F(BlockFileTest, AFileOnDiskIsWrittenInThePoolAndReadFromTheCache) {
  const auto file = make(disk_file());
  if (file->in_memory()) GTEST_SKIP() << "the build folder lies in memory";
  Bytes data(8192, std::byte{3});
  std::optional<BlockResult> late;
  const BlockStart started = start(*file, write, 0, data, late);
  EXPECT_TRUE(std::holds_alternative<std::unique_ptr<BlockClaim>>(started));
  EXPECT_FALSE(late) << "never inside start";
  std::ranges::fill(data, std::byte{4});
  wait_for([&] { return late.has_value(); });
  EXPECT_TRUE(*late);
  EXPECT_TRUE(run(*file, flush));
  EXPECT_TRUE(run(*file, read, 0, data));
  EXPECT_EQ(data, Bytes(8192, std::byte{3})) << "the bytes were taken before start returned";
}

TEST_F(BlockFileTest, WhatTheFileDoesNotHoldReadsAsZeros) {
  for (const bool in_memory : {true, false}) {
    UniqueFd fd = in_memory ? memory_file() : disk_file();
    UniqueFd other(::dup(fd.get()));
    const auto file = make(std::move(fd));
    Bytes data(1024, std::byte{9});
    EXPECT_TRUE(run(*file, write, 0, data));
    EXPECT_EQ(::ftruncate(other.get(), 512), 0);
    EXPECT_TRUE(run(*file, read, 0, data));
    EXPECT_EQ(data[511], std::byte{9});
    EXPECT_EQ(data[512], std::byte{0});
    EXPECT_TRUE(run(*file, read, kSize - 1024, data));
    EXPECT_EQ(data, Bytes(1024));
  }
}

TEST_F(BlockFileTest, OverlappingRequestsTakeEffectInOrder) {
  const auto file = make(disk_file());
  for (unsigned round = 0; round < 50; ++round) {
    Bytes first(65536, static_cast<std::byte>(round));
    Bytes second(512, static_cast<std::byte>(round + 100));
    Bytes back(1024);
    std::optional<BlockResult> a;
    std::optional<BlockResult> b;
    std::optional<BlockResult> c;
    // The first write is dropped at once: if it takes place, then before the second all the same.
    {
      const BlockStart dropped = start(*file, write, 0, first, a);
    }
    const BlockStart kept = start(*file, write, 512, second, b);
    const BlockStart reading = start(*file, read, 512, back, c);
    if (!file->in_memory()) wait_for([&] { return b && c; });
    EXPECT_EQ(ByteView(back).first(512).front(), second.front());
    EXPECT_EQ(ByteView(back).first(512).back(), second.back());
  }
}

TEST_F(BlockFileTest, ADroppedReadTouchesNothingAndTellsNobody) {
  const auto file = make(disk_file());
  if (file->in_memory()) GTEST_SKIP() << "the build folder lies in memory";
  Bytes content(4096, std::byte{5});
  Bytes target(4096);
  std::optional<BlockResult> written;
  std::optional<BlockResult> seen;
  const BlockStart writing = start(*file, write, 0, content, written);
  {
    const BlockStart dropped = start(*file, read, 0, target, seen);
  }  // it had to wait for the write
  Bytes other(4096);
  EXPECT_TRUE(run(*file, read, 0, other));
  wait_for([&] { return written.has_value(); });
  EXPECT_FALSE(seen);
  EXPECT_EQ(target, Bytes(4096));
  EXPECT_EQ(other, content);
}

TEST_F(BlockFileTest, AFileMayEndWhileItsRequestsAreUnderWay) {
  Bytes data(65536, std::byte{1});
  for (unsigned round = 0; round < 20; ++round) {
    auto file = make(disk_file());
    std::optional<BlockResult> late;
    {
      const BlockStart a = start(*file, write, 0, data, late);
      const BlockStart b = start(*file, read, 0, data, late);
    }
    file.reset();
    loop.run_once(0ns);
    EXPECT_FALSE(late && round > 0 && !*late);
  }
}

TEST_F(BlockFileTest, AReadOnlyDescriptorIsWriteProtected) {
  UniqueFd fd = memory_file();
  UniqueFd reading(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  const auto file = make(std::move(reading));
  EXPECT_TRUE(file->read_only());
  EXPECT_FALSE(file->can_discard());
  Bytes data(512);
  EXPECT_TRUE(run(*file, read, 0, data));
  EXPECT_EQ(run(*file, write, 0, data).error().error, BlockError::write_protected);
  EXPECT_TRUE(make(memory_file(), {.read_only = true})->read_only());
}

TEST_F(BlockFileTest, ASealedFileRefusesWritesAsWriteProtected) {
  UniqueFd fd = memory_file();
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  const auto file = make(std::move(fd));
  Bytes data(512);
  EXPECT_EQ(run(*file, write, 0, data).error().error, BlockError::write_protected);
}

TEST_F(BlockFileTest, AFullFileSystemAnswersNoSpaceAtTheRightPlace) {
  // A tmpfs of 64 KiB that is mounted nowhere.
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_SET_STRING, "size", "65536", 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    GTEST_SKIP() << "not allowed to mount";
  }
  const UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) GTEST_SKIP() << "not allowed to mount";
  UniqueFd image(::openat(mount.get(), "image", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(image.get(), kSize), 0);
  const auto file = make(std::move(image));
  ASSERT_TRUE(file->in_memory());
  Bytes data(131072, std::byte{1});
  const BlockResult result = run(*file, write, 0, data);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().error, BlockError::no_space);
  EXPECT_EQ(result.error().offset, 65536u);
  EXPECT_TRUE(run(*file, read, 0, data)) << "and nothing else breaks";
}

TEST_F(BlockFileTest, OnlyDisksAreTaken) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd other_end(ends[1]);
  EXPECT_EQ(BlockFile::make(UniqueFd(ends[0]), pool).error(), BlockFileError::not_a_disk);
  EXPECT_EQ(BlockFile::make(memory_file(511), pool).error(), BlockFileError::too_small);
  EXPECT_EQ(BlockFile::make(memory_file(4095), pool, {.logical_block_size = 4096}).error(), BlockFileError::too_small);
  EXPECT_EQ(BlockFile::make(UniqueFd(), pool).error(), BlockFileError::unreadable);
  UniqueFd writing(::open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(BlockFile::make(std::move(writing), pool).error(), BlockFileError::unreadable);
  EXPECT_EQ(make(memory_file(1500))->size(), 1024u) << "whole blocks only";
}

TEST_F(BlockFileTest, ManyRequestsShareTheBoundedMemory) {
  IoPool small(loop, 2, 65536);
  auto file = std::move(*BlockFile::make(disk_file(), small));
  if (file->in_memory()) GTEST_SKIP() << "the build folder lies in memory";
  std::array<Bytes, 32> data;
  std::array<std::optional<BlockResult>, 32> results;
  std::vector<BlockStart> claims;
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i].resize(32768, static_cast<std::byte>(i + 1));
    claims.push_back(start(*file, write, i * 32768, data[i], results[i]));
    EXPECT_LE(small.memory_in_use(), 65536u);
  }
  wait_for([&] { return std::ranges::all_of(results, [](const auto& each) { return each.has_value(); }); });
  Bytes back(32768);
  for (std::size_t i = 0; i < data.size(); ++i) {
    EXPECT_TRUE(results[i]->has_value());
    EXPECT_TRUE(run(*file, read, i * 32768, back));
    EXPECT_EQ(back, data[i]);
  }
  claims.clear();
}

}  // namespace
}  // namespace periplex::host

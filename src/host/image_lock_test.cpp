// SPDX-License-Identifier: Apache-2.0
#include "host/image_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/block_file.hpp"

namespace periplex::host {
namespace {

using namespace std::chrono_literals;

/// The same file, opened once more.
UniqueFd again(const UniqueFd& file) {
  return UniqueFd(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), O_RDWR | O_CLOEXEC));
}

TEST(ImageLock, OneWriterOrManyReaders) {
  const UniqueFd a(::memfd_create("image", MFD_CLOEXEC));
  const UniqueFd b = again(a);
  auto first = ImageLock::acquire(a, true);
  ASSERT_TRUE(first);
  EXPECT_FALSE(ImageLock::acquire(b, true));
  EXPECT_FALSE(ImageLock::acquire(b, false));
  first.reset();  // although `a` stays open
  first = ImageLock::acquire(a, false);
  EXPECT_TRUE(ImageLock::acquire(b, false));
  EXPECT_FALSE(ImageLock::acquire(b, true));
}

TEST(ImageLock, IsHeldUntilTheLastRequestOfADiskThatIsGoneHasEnded) {
  EventLoop loop;
  IoPool pool(loop);
  UniqueFd image(::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(image.get(), 1 << 20), 0);
  const UniqueFd other = again(image);
  auto lock = ImageLock::acquire(image, true);
  auto file = std::move(*BlockFile::make(std::move(image), pool, {.lock = std::move(lock)}));
  if (file->in_memory()) GTEST_SKIP() << "the build folder lies in memory";
  Bytes data(65536, std::byte{1});
  const MutableByteView view = data;
  (void)file->start({usb::device::BlockOperation::write, 0, data.size(), {&view, 1}}, nullptr);  // and dropped at once
  file.reset();
  EXPECT_FALSE(ImageLock::acquire(other, true)) << "the write may still change the image";
  lock = nullptr;
  for (int i = 0; i < 100 && !lock; ++i) {
    loop.run_once(100ms);
    lock = ImageLock::acquire(other, true);
  }
  EXPECT_TRUE(lock);
}

}  // namespace
}  // namespace periplex::host

// SPDX-License-Identifier: Apache-2.0
#include "loop/processor_latency.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "base/testing/virtual_time.hpp"

namespace periplex {
namespace {

using namespace std::chrono_literals;

class ProcessorLatencyTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::int32_t requested() const {
    std::int32_t value = -1;
    EXPECT_EQ(::pread(seen_, &value, sizeof value, 0), static_cast<ssize_t>(sizeof value));
    return value;
  }

  testing::VirtualTime time_;
  UniqueFd file_{::memfd_create("latency", MFD_CLOEXEC)};
  const int seen_ = file_.get();
  ProcessorLatency latency_{time_, std::move(file_)};
};

TEST_F(ProcessorLatencyTest, TheRequestStandsWhileThereIsWork) {
  latency_.touch();
  EXPECT_EQ(requested(), 0);
  for (int i = 0; i < 10; ++i) {
    time_.advance(15ms);
    EXPECT_TRUE(latency_.held());
    latency_.touch();
  }
}

TEST_F(ProcessorLatencyTest, TheRequestEndsSoonAfterTheWorkAndNoTimerRemains) {
  latency_.touch();
  time_.advance(10ms);
  latency_.touch();
  time_.advance(25ms);
  EXPECT_FALSE(latency_.held());
  EXPECT_GT(requested(), 1'000'000);
  EXPECT_EQ(time_.armed_timers(), 0u);
  latency_.touch();
  EXPECT_EQ(requested(), 0);
}

}  // namespace
}  // namespace periplex

// SPDX-License-Identifier: Apache-2.0
#include "guest/fault_patience.hpp"

#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"
#include "guest/testing/ram.hpp"

namespace periplex::guest {
namespace {

using std::chrono::milliseconds;

class FaultPatienceTest : public ::testing::Test {
 protected:
  periplex::testing::VirtualTime time_;
  std::unique_ptr<Memory> memory_ = testing::make_ram(0x1000);
  FaultPatience patience_{*memory_, time_};
};

TEST_F(FaultPatienceTest, AFaultInASettledMapIsTheGuestsDoingAtOnce) {
  EXPECT_FALSE(patience_.may_wait());
  patience_.note_success();
  EXPECT_FALSE(patience_.may_wait());
}

TEST_F(FaultPatienceTest, AfterAChangeAFaultIsTheGuestsDoingOnlyIfItStays) {
  memory_->unmap(GuestAddress(0), 0x1000);
  EXPECT_TRUE(patience_.may_wait());
  time_.advance(FaultPatience::kPatience - milliseconds(1));
  EXPECT_TRUE(patience_.may_wait());
  time_.advance(milliseconds(1));
  EXPECT_FALSE(patience_.may_wait());
  EXPECT_FALSE(patience_.may_wait()) << "and stays so";
}

TEST_F(FaultPatienceTest, EveryFurtherChangeBeginsTheWaitAnew) {
  memory_->unmap(GuestAddress(0), 0x1000);
  EXPECT_TRUE(patience_.may_wait());
  time_.advance(FaultPatience::kPatience);
  memory_->clear();
  EXPECT_TRUE(patience_.may_wait());
}

TEST_F(FaultPatienceTest, AWalkWithoutFaultSettlesTheMap) {
  memory_->clear();
  EXPECT_TRUE(patience_.may_wait());
  patience_.note_success();
  EXPECT_FALSE(patience_.may_wait());
}

}  // namespace
}  // namespace periplex::guest

// SPDX-License-Identifier: Apache-2.0
#include "usb/device/pointer_queue.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace periplex::usb::device {
namespace {

using Event = PointerQueue::Event;
using Motion = PointerQueue::Motion;

std::vector<Event> drain(PointerQueue& queue) {
  std::vector<Event> events;
  while (const auto event = queue.take()) events.push_back(*event);
  return events;
}

TEST(PointerQueue, OnlyTheNewestPositionIsKept) {
  PointerQueue queue(Motion::absolute);
  queue.move(1, 1);
  queue.move(500, 600);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.x = 500, .y = 600}}));
}

TEST(PointerQueue, DistancesAreSummedAndSplitIntoSteps) {
  PointerQueue queue(Motion::relative);
  queue.move(200, -50);
  queue.move(100, -50);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.x = 127, .y = -100}, {.x = 127}, {.x = 46}}));
}

TEST(PointerQueue, MotionAddsToWhatIsLeftOfAMotion) {
  PointerQueue queue(Motion::relative);
  queue.move(130, 0);
  EXPECT_EQ(queue.take(), (Event{.x = 127}));
  queue.move(4, 1);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.x = 7, .y = 1}}));
}

TEST(PointerQueue, NoMotionIsNoEvent) {
  PointerQueue queue(Motion::relative);
  queue.move(0, 0);
  queue.scroll(0, 0);
  EXPECT_FALSE(queue.take());
  queue.move(1, 0);
  queue.move(-1, 0);
  EXPECT_EQ(drain(queue).size(), 1u);
}

TEST(PointerQueue, AClickStaysWhereItWas) {
  PointerQueue queue(Motion::absolute);
  queue.move(10, 10);
  ASSERT_TRUE(queue.set_buttons(1));
  queue.move(20, 20);
  queue.move(30, 30);
  ASSERT_TRUE(queue.set_buttons(0));
  queue.move(40, 40);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.x = 10, .y = 10},
                                              {.buttons = 1, .x = 10, .y = 10},
                                              {.buttons = 1, .x = 30, .y = 30},
                                              {.buttons = 0, .x = 30, .y = 30},
                                              {.buttons = 0, .x = 40, .y = 40}}));
}

TEST(PointerQueue, ClicksAreNeverMerged) {
  PointerQueue queue(Motion::relative);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue.set_buttons(1));
    ASSERT_TRUE(queue.set_buttons(0));
  }
  const auto events = drain(queue);
  ASSERT_EQ(events.size(), 200u);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].buttons, i % 2 == 0 ? 1 : 0);
}

TEST(PointerQueue, WheelsTurnWithTheMotionAndAreSplitToo) {
  PointerQueue queue(Motion::absolute);
  queue.move(3, 4);
  queue.scroll(100, -1);
  queue.scroll(100, 0);
  EXPECT_EQ(drain(queue),
            (std::vector<Event>{{.x = 3, .y = 4, .wheel = 127, .pan = -1}, {.x = 3, .y = 4, .wheel = 73}}));
  queue.scroll(-1, 0);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.x = 3, .y = 4, .wheel = -1}})) << "the position stays";
}

TEST(PointerQueue, SumsSaturate) {
  PointerQueue queue(Motion::relative);
  for (int i = 0; i < 3; ++i) queue.move(std::numeric_limits<int>::max(), std::numeric_limits<int>::min());
  EXPECT_EQ(queue.take(), (Event{.x = 127, .y = -127}));
}

TEST(PointerQueue, WhenFullPressesAreRefusedAndReleasesComeLater) {
  PointerQueue queue(Motion::absolute);
  std::uint8_t buttons = 0;
  while (queue.set_buttons(buttons ^ 1)) {
    buttons ^= 1;
    if (buttons == 0) queue.move(1, 1);
  }
  EXPECT_EQ(buttons, 0) << "only a press is refused";
  ASSERT_FALSE(queue.set_buttons(2));
  EXPECT_EQ(queue.buttons(), 0);
  EXPECT_EQ(drain(queue).back().buttons, 0);
}

TEST(PointerQueue, AReleaseWithoutRoomIsToldOnceThereIs) {
  PointerQueue queue(Motion::relative);
  for (std::size_t i = 0; i < PointerQueue::kMaxEvents / 2; ++i) {
    ASSERT_TRUE(queue.set_buttons(4));
    ASSERT_TRUE(queue.set_buttons(i % 2 == 0 ? 0 : 6));
  }
  ASSERT_EQ(queue.buttons(), 6);
  ASSERT_TRUE(queue.set_buttons(2));
  ASSERT_TRUE(queue.set_buttons(0));
  const auto events = drain(queue);
  EXPECT_EQ(events.size(), PointerQueue::kMaxEvents + 1);
  EXPECT_EQ(events.back().buttons, 0);
}

TEST(PointerQueue, ARestartForgetsEventsButNotTheState) {
  PointerQueue queue(Motion::absolute);
  queue.move(7, 8);
  ASSERT_TRUE(queue.set_buttons(1));
  queue.restart(false);
  EXPECT_FALSE(queue.take());
  queue.restart(true);
  EXPECT_EQ(drain(queue), (std::vector<Event>{{.buttons = 1, .x = 7, .y = 8}}));
}

}  // namespace
}  // namespace periplex::usb::device

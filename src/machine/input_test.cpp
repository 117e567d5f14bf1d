// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "machine/plugged.hpp"
#include "usb/device/pointer_queue.hpp"

namespace periplex::machine {
namespace {

using namespace std::chrono_literals;

/// A tablet, and a guest that has configured it but fetches no reports.
class InputTest : public ::testing::Test, public usb::TransferOwner {
 protected:
  static constexpr std::size_t kReportSize = 7;

  InputTest() {
    tablet = std::move(*Plugged::make(parse_specification("tablet,id=t").value(), {}, {}, loop, pool));
    request({0x00, 0x09, 1, 0, 0});  // SET_CONFIGURATION
  }

  void request(const usb::SetupPacket& setup) {
    const bool in = (setup.request_type & 0x80) != 0;
    auto transfer = std::make_unique<usb::Transfer>(*this, usb::TransferId(next_id_++), usb::EndpointAddress(0),
                                                    in ? usb::Direction::in : usb::Direction::out,
                                                    in ? usb::TransferData::room(setup.length) : usb::TransferData());
    transfer->setup = setup;
    tablet->device().submit(std::move(transfer));
    for (int i = 0; i < 4; ++i) loop.run_once(0ns);
  }
  void on_complete(usb::TransferPtr transfer, usb::Completion completion) override {
    answer = transfer->data.copy(completion.actual);
  }
  /// GET_REPORT (HID 1.11 §7.2.1): buttons, x, y and wheels, as they are behind all that is queued.
  Bytes report() {
    request({0xa1, 0x01, 0x0100, 0, kReportSize});
    return answer;
  }

  EventLoop loop;
  host::IoPool pool{loop};
  std::unique_ptr<Plugged> tablet;
  Bytes answer;

 private:
  std::uint64_t next_id_ = 1;
};

TEST_F(InputTest, APointerDoesAllOfARequestOrNothing) {
  ASSERT_TRUE(tablet->point({pointer::MoveTo{1, 2}}));
  ASSERT_EQ(report().size(), kReportSize);
  std::size_t clicks = 0;
  while (tablet->point({pointer::Click{pointer::kLeft}})) {
    ASSERT_LT(++clicks, usb::device::PointerQueue::kMaxEvents);
  }
  const Bytes before = report();
  const auto refused =
      tablet->point({pointer::MoveTo{5, 6}, pointer::Hold{pointer::kLeft}, pointer::Click{pointer::kRight}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::busy);
  EXPECT_EQ(report(), before);
}

TEST_F(InputTest, MotionIsTakenWhereClicksAreNot) {
  while (tablet->point({pointer::Click{pointer::kLeft}})) {
  }
  const Bytes before = report();
  EXPECT_TRUE(tablet->point({pointer::MoveTo{5, 6}}));
  EXPECT_NE(report(), before);
}

}  // namespace
}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#include "remote/usbip/inbound_pipe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/virtual_time.hpp"

namespace periplex::remote::usbip {
namespace {

using ::testing::ElementsAre;
using usb::Status;

constexpr usb::EndpointAddress kEndpoint(0x81);

class Rig final : public InboundPipe::Far, public usb::TransferOwner {
 public:
  explicit Rig(std::size_t ahead) : pipe(kEndpoint, ahead, *this, time) {}

  std::uint32_t ask(usb::EndpointAddress, std::uint32_t room) override {
    rooms.push_back(room);
    return ++asked;
  }
  void withdraw(std::uint32_t number) override { withdrawn.push_back(number); }
  void finish(usb::TransferPtr transfer, usb::Completion completion) override {
    finished.push_back(fmt_text(*transfer, completion));
  }
  void on_unasked(usb::EndpointAddress) override { ++unasked; }
  [[nodiscard]] bool listens_unasked() const override { return false; }
  void on_complete(usb::TransferPtr, usb::Completion) override {}

  usb::TransferId submit(std::size_t room) {
    const usb::TransferId id(++last_id_);
    pipe.submit(
        std::make_unique<usb::Transfer>(*this, id, kEndpoint, usb::Direction::in, usb::TransferData::room(room)));
    return id;
  }
  void answer(std::uint32_t number, std::string_view data, Status status = Status::ok) {
    pipe.on_answer(number, as_bytes(data), status);
  }

  periplex::testing::VirtualTime time;
  InboundPipe pipe;
  std::uint32_t asked = 0;
  std::vector<std::uint32_t> rooms;
  std::vector<std::uint32_t> withdrawn;
  std::vector<std::string> finished;
  unsigned unasked = 0;

 private:
  static std::string fmt_text(const usb::Transfer& transfer, usb::Completion completion) {
    return std::string(name(completion.status)) + " " + std::string(as_text(transfer.data.copy(completion.actual)));
  }
  std::uint64_t last_id_ = 0;
};

TEST(UsbipInboundPipe, BulkAsksForWhatTheGuestAsksFor) {
  Rig rig(0);
  rig.submit(512);
  rig.submit(13);
  EXPECT_THAT(rig.rooms, ElementsAre(512, 13));
  rig.answer(1, "data");
  rig.answer(2, "status bytes.");
  EXPECT_THAT(rig.finished, ElementsAre("ok data", "ok status bytes."));
  EXPECT_EQ(rig.asked, 2u);
}

TEST(UsbipInboundPipe, AnAnswerMayFillSeveralTransfers) {
  Rig rig(0);
  const auto id = rig.submit(8);
  rig.pipe.cancel(id);
  rig.answer(1, "12345678");
  rig.submit(4);
  rig.submit(4);
  EXPECT_THAT(rig.finished, ElementsAre("cancelled ", "ok 1234", "ok 5678"));
}

TEST(UsbipInboundPipe, ATransferThatReplacesAWithdrawnOneIsAskedForAtOnce) {
  Rig rig(0);
  rig.pipe.cancel(rig.submit(8));
  rig.submit(8);
  EXPECT_THAT(rig.withdrawn, ElementsAre(1));
  EXPECT_EQ(rig.asked, 2u);
  rig.answer(1, "", Status::cancelled);
  rig.answer(2, "new");
  EXPECT_THAT(rig.finished, ElementsAre("cancelled ", "ok new"));
}

TEST(UsbipInboundPipe, ReportsThatNobodyFetchesStopTheAsking) {
  Rig rig(4);
  rig.submit(8);
  EXPECT_EQ(rig.asked, 4u);
  for (std::uint32_t number = 1; number <= rig.asked; ++number) rig.answer(number, "r");
  EXPECT_EQ(rig.asked, 1 + InboundPipe::kMostKept) << "one was fetched, the others wait";
  rig.submit(8);
  EXPECT_EQ(rig.asked, 2 + InboundPipe::kMostKept);
  EXPECT_EQ(rig.unasked, InboundPipe::kMostKept);
}

TEST(UsbipInboundPipe, AServerThatCancelsTooMuchIsAskedAgain) {
  Rig rig(2);
  rig.submit(8);
  rig.answer(1, "", Status::cancelled);
  rig.answer(2, "", Status::cancelled);
  EXPECT_EQ(rig.asked, 4u);
  EXPECT_TRUE(rig.finished.empty());
}

TEST(UsbipInboundPipe, AShortAnswerEndsATransferThatWasFilledBefore) {
  Rig rig(0);
  rig.pipe.cancel(rig.submit(4));
  rig.answer(1, "1234");
  rig.submit(8);
  EXPECT_THAT(rig.finished, ElementsAre("cancelled "));
  EXPECT_EQ(rig.rooms.back(), 4u);
  rig.answer(2, "56");
  EXPECT_THAT(rig.finished, ElementsAre("cancelled ", "ok 123456"));
}

}  // namespace
}  // namespace periplex::remote::usbip

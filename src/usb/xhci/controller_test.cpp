// SPDX-License-Identifier: Apache-2.0
#include "usb/xhci/controller.hpp"

#include <gmock/gmock.h>

#include "usb/xhci/testing/endpoint_rig.hpp"

namespace periplex::usb::xhci {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kUsbcmd = 0x00;
constexpr std::uint32_t kPagesize = 0x08;
constexpr std::uint32_t kDnctrl = 0x14;
constexpr std::uint32_t kDcbaap = 0x30;
constexpr std::uint32_t kConfig = 0x38;
constexpr std::uint32_t kRunStop = 1u << 0;
constexpr std::uint32_t kHcrst = 1u << 1;
constexpr std::uint32_t kInte = 1u << 2;
constexpr std::uint32_t kCss = 1u << 8;
constexpr std::uint32_t kCrs = 1u << 9;
constexpr std::uint32_t kEwe = 1u << 10;
constexpr std::uint32_t kHch = 1u << 0;
constexpr std::uint32_t kSre = 1u << 10;
constexpr std::uint32_t kCnr = 1u << 11;
constexpr std::uint32_t kOperational = 0x40;

class ControllerTest : public ::testing::Test {
 protected:
  void write_usbcmd(std::uint32_t value) { rig_.write32(kOperational + kUsbcmd, value); }
  std::uint32_t usbcmd() { return rig_.read32(kOperational + kUsbcmd); }
  std::uint32_t mfindex() { return rig_.read32(driver_.mfindex_register()); }

  EndpointRig rig_;
  Driver& driver_ = rig_.driver;
};

TEST_F(ControllerTest, CapabilitiesSayWhatIsThere) {
  EXPECT_EQ(rig_.read32(0x00), 0x0120'0040u) << "CAPLENGTH and HCIVERSION";
  EXPECT_EQ(rig_.read32(0x04), 8u << 24 | 8u << 8 | 16u) << "ports, interrupters, slots";
  EXPECT_EQ(rig_.read32(0x08), 4u << 4 | 9) << "16 segments, no scratchpads, a frame ahead";
  EXPECT_EQ(rig_.read32(0x10) & 0xffff, 0x5081u) << "64-bit addresses, small contexts, 64 linear streams";
  EXPECT_EQ(rig_.read32(0x14), 0x2000u);
  EXPECT_EQ(rig_.read32(0x18), 0x1000u);
  EXPECT_EQ(rig_.read32(kOperational + kPagesize), 1u);
}

TEST_F(ControllerTest, TheExtendedCapabilitiesNameThePortsOfEachProtocol) {
  const std::uint32_t first = (rig_.read32(0x10) >> 16) * 4;
  EXPECT_EQ(rig_.read32(first), 0x0200'0802u) << "Supported Protocol, next 8 dwords on, USB 2.0";
  EXPECT_EQ(rig_.read32(first + 4), 0x2042'5355u) << "'USB '";
  EXPECT_EQ(rig_.read32(first + 8), 4u << 8 | 1);
  const std::uint32_t second = first + 0x20;
  EXPECT_EQ(rig_.read32(second), 0x0320'0002u) << "the last one, USB 3.2";
  EXPECT_EQ(rig_.read32(second + 8), 4u << 8 | 5);
}

TEST_F(ControllerTest, RegistersCanBeReadInAnyWidthAtAnyOffset) {
  for (std::uint32_t offset = 0; offset < 0x60; ++offset) {
    const auto whole = rig_.read<std::uint64_t>(offset);
    EXPECT_EQ(rig_.read<std::uint32_t>(offset), static_cast<std::uint32_t>(whole)) << offset;
    EXPECT_EQ(rig_.read<std::uint16_t>(offset), static_cast<std::uint16_t>(whole)) << offset;
    EXPECT_EQ(rig_.read<std::uint8_t>(offset), static_cast<std::uint8_t>(whole)) << offset;
  }
}

TEST_F(ControllerTest, SixtyFourBitRegistersTakeHalvesAndWholes) {
  const std::uint32_t at = kOperational + kDcbaap;
  rig_.write64(at, 0x1122'3344'5566'77ff);
  EXPECT_EQ(rig_.read<std::uint64_t>(at), 0x1122'3344'5566'77c0u) << "bits 5:0 are reserved";
  rig_.write32(at, 0x9999'9980);
  EXPECT_EQ(rig_.read<std::uint64_t>(at), 0x1122'3344'9999'9980u);
  rig_.write32(at + 4, 0x7);
  EXPECT_EQ(rig_.read<std::uint64_t>(at), 0x0000'0007'9999'9980u);
  rig_.write<std::uint8_t>(at + 1, 0x12);
  EXPECT_EQ(rig_.read<std::uint64_t>(at), 0x0000'0007'9999'1280u);
  rig_.write<std::uint16_t>(at + 3, 0xabcd);  // straddles the halves
  EXPECT_EQ(rig_.read<std::uint64_t>(at), 0x0000'00ab'cd99'1280u);
}

TEST_F(ControllerTest, AnAccessOverTwoRegistersReachesBoth) {
  rig_.write64(kOperational + kConfig - 4, 0x0000'0005'0000'0001);
  EXPECT_EQ(rig_.read32(kOperational + kConfig), 5u);
  EXPECT_EQ(rig_.read32(kOperational + kDcbaap + 4), 1u);
  rig_.write64(kOperational + kDnctrl, 0xffff'ffff'0000'0003);
  EXPECT_EQ(rig_.read32(kOperational + kDnctrl), 3u);
}

TEST_F(ControllerTest, WhereNoRegisterLiesReadsAreZeroAndWritesAreDropped) {
  for (const std::uint32_t offset : {0x0cu, 0x20u, 0x4cu, 0x7fcu, 0x900u, 0x1200u, 0x2044u, 0x2ffcu}) {
    rig_.write64(offset, ~std::uint64_t{0});
    EXPECT_EQ(rig_.read32(offset), 0u) << offset;
  }
}

TEST_F(ControllerTest, CapabilityRegistersCannotBeWritten) {
  for (std::uint32_t offset = 0; offset < 0x20; offset += 4) {
    const std::uint32_t before = rig_.read32(offset);
    rig_.write32(offset, ~before);
    EXPECT_EQ(rig_.read32(offset), before) << offset;
  }
}

TEST_F(ControllerTest, RandomAccessesOfAllWidthsBreakNothing) {
  std::uint64_t state = 1;
  const auto next = [&state] { return state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u; };
  for (unsigned i = 0; i < 20'000; ++i) {
    const auto offset = static_cast<std::uint32_t>(next() >> 40) % 0x3010;
    Bytes bytes(std::size_t{1} << (next() >> 60 & 3));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next() >> 50);
    rig_.controller.write(offset, bytes);
    rig_.controller.read(offset, bytes);
    if (i % 64 == 0) rig_.time.run_until_idle(100);
  }
  rig_.time.run_until_idle(1000);
  EXPECT_TRUE(driver_.start());
  EXPECT_EQ(driver_.execute(command(TrbType::no_op_command)).code, CompletionCode::success);
}

TEST_F(ControllerTest, HaltingTakesTransfersBackAndRunningResumesThem) {
  const GuestAddress trb = rig_.transfer(EndpointRig::kIn, 512);
  rig_.device.moved_when_cancelled[rig_.device.at(0).id()] = 100;
  ASSERT_TRUE(driver_.halt());
  EXPECT_EQ(rig_.device.held(), 0u);
  EXPECT_THAT(driver_.drain(), IsEmpty()) << "halting is not an error";
  EXPECT_EQ(rig_.state(EndpointRig::kIn), 1u);
  driver_.run();
  ASSERT_EQ(rig_.device.held(), 1u);
  EXPECT_EQ(rig_.device.at(0).data.size(), 412u);
  rig_.device.complete_ok();
  const auto events = driver_.drain();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].parameter, trb.value);
  EXPECT_EQ(length_of(events[0]), 0u);
}

TEST_F(ControllerTest, HaltedOnlyWhenTheDevicesHaveLetGo) {
  rig_.device.answers_cancels = false;
  rig_.transfer(EndpointRig::kIn, 512);
  write_usbcmd(0);
  EXPECT_EQ(driver_.usbsts() & kHch, 0u);
  rig_.device.answer_cancels();
  EXPECT_EQ(driver_.usbsts() & kHch, kHch);
}

TEST_F(ControllerTest, RunningAgainBeforeItHasHaltedGoesOn) {
  rig_.device.answers_cancels = false;
  rig_.transfer(EndpointRig::kIn, 512);
  write_usbcmd(kInte);
  write_usbcmd(kRunStop | kInte);
  rig_.device.answer_cancels();
  EXPECT_EQ(driver_.usbsts() & kHch, 0u);
  EXPECT_EQ(rig_.device.held(), 1u);
}

TEST_F(ControllerTest, WhileHaltedDoorbellsAreIgnored) {
  driver_.halt();
  rig_.transfer(EndpointRig::kIn, 512);
  EXPECT_EQ(rig_.device.held(), 0u);
  driver_.run();
  EXPECT_EQ(rig_.device.held(), 1u) << "what is on the ring is fetched when it runs";
}

TEST_F(ControllerTest, ResetReturnsAllRegistersAndForgetsAllSlots) {
  rig_.write32(kOperational + kDnctrl, 0xffff);
  ASSERT_TRUE(driver_.reset());
  EXPECT_EQ(usbcmd(), 0u);
  EXPECT_EQ(driver_.usbsts(), kHch);
  for (const std::uint32_t offset : {kDnctrl, kDcbaap, kDcbaap + 4, kConfig}) {
    EXPECT_EQ(rig_.read32(kOperational + offset), 0u) << offset;
  }
  EXPECT_EQ(rig_.read32(driver_.interrupter(0, 0x04)), 4000u) << "IMODI";
  EXPECT_EQ(rig_.read32(driver_.interrupter(0, 0x08)), 0u);
  driver_.set_up();
  driver_.run();
  EXPECT_EQ(driver_.execute(command(TrbType::stop_endpoint_command, 1, 1)).code,
            CompletionCode::slot_not_enabled_error);
}

TEST_F(ControllerTest, ResetWaitsForTransfersInFlightAndTellsNobody) {
  rig_.device.answers_cancels = false;
  rig_.transfer(EndpointRig::kIn, 512);
  write_usbcmd(kHcrst);
  EXPECT_EQ(driver_.usbsts() & (kCnr | kHch), kCnr | kHch);
  EXPECT_NE(usbcmd() & kHcrst, 0u);
  driver_.ring(rig_.slot, EndpointRig::kOut);
  write_usbcmd(kHcrst);
  rig_.device.answer_cancels();
  EXPECT_EQ(driver_.usbsts(), kHch);
  EXPECT_EQ(usbcmd(), 0u);
  EXPECT_THAT(driver_.events().next(), ::testing::Eq(std::nullopt));
}

TEST_F(ControllerTest, ResetAfterThePortWasDisabledStillEnds) {
  rig_.device.answers_cancels = false;
  rig_.transfer(EndpointRig::kIn, 512);
  driver_.write_portsc(1, 1u << 9 | 1u << 1);
  write_usbcmd(kHcrst);
  rig_.device.answer_cancels();
  EXPECT_EQ(driver_.usbsts(), kHch);
}

TEST_F(ControllerTest, ResetCanInterruptEveryStepOfAnEnumeration) {
  for (unsigned step = 0; step < 12; ++step) {
    testing::Rig rig;
    usb::testing::FakeDevice device(rig.time, Speed::high);
    device.answers_set_address = step != 4;
    rig.driver.start();
    const unsigned port = rig.plug(device);
    const auto enumerate = [&](unsigned last) {
      const unsigned slot = rig.driver.enable_slot().slot;
      if (last >= 2) (void)rig.driver.address_device(slot, port, true);
      if (last >= 4) (void)rig.driver.address_device(slot, port);
      if (last >= 6) (void)rig.driver.configure(slot, EndpointSetup{.dci = 3, .type = 6});
      if (last >= 8) rig.driver.queue(slot, 3, normal(rig.ram.allocate(64), 64));
      if (last >= 8) rig.driver.ring(slot, 3);
      if (last >= 10) rig.driver.queue_command(command(TrbType::stop_endpoint_command, slot, 3));
      if (last >= 10) rig.driver.ring_command_doorbell();
      return slot;
    };
    enumerate(step);
    EXPECT_TRUE(rig.driver.start()) << step;
    device.answers_set_address = true;
    while (device.held() != 0) device.complete(Status::cancelled);
    rig.driver.write_portsc(port, 1u << 9 | 1u << 4);
    const unsigned slot = enumerate(8);
    EXPECT_EQ(rig.driver.slot_state(slot), 3u) << step;
    ASSERT_EQ(device.held(), 1u) << step;
    rig.controller.detach(device);
  }
}

TEST_F(ControllerTest, PowerOnResetNeedsNobodysAnswer) {
  rig_.device.answers_cancels = false;
  rig_.transfer(EndpointRig::kIn, 512);
  write_usbcmd(kHcrst);
  rig_.controller.power_on_reset();
  EXPECT_EQ(driver_.usbsts(), kHch);
  ASSERT_TRUE(driver_.start());
  rig_.device.answer_cancels();
  EXPECT_THAT(driver_.drain(), IsEmpty()) << "late completions are nobody's";
  EXPECT_EQ(driver_.execute(command(TrbType::no_op_command)).code, CompletionCode::success);
}

TEST_F(ControllerTest, RestoringWhatWasSavedKeepsSlotsAndRings) {
  driver_.halt();
  write_usbcmd(kCss);
  EXPECT_EQ(usbcmd(), 0u);
  write_usbcmd(kCrs);
  EXPECT_EQ(driver_.usbsts() & kSre, 0u);
  driver_.run();
  rig_.transfer(EndpointRig::kIn, 64);
  EXPECT_EQ(rig_.device.held(), 1u);
}

TEST_F(ControllerTest, TheEventRingGoesOnAfterARestoreThatWritesItsRegistersBack) {
  (void)driver_.execute(command(TrbType::no_op_command));
  driver_.halt();
  write_usbcmd(kCss);
  const std::uint32_t base = driver_.interrupter(0, 0);
  const auto erstba = rig_.read<std::uint64_t>(base + 0x10);
  const auto erdp = rig_.read<std::uint64_t>(base + 0x18);
  rig_.write32(base + 0x08, rig_.read32(base + 0x08));
  rig_.write64(base + 0x10, erstba);
  rig_.write64(base + 0x18, erdp);
  write_usbcmd(kCrs);
  driver_.run();
  EXPECT_EQ(driver_.execute(command(TrbType::no_op_command)).code, CompletionCode::success);
}

TEST_F(ControllerTest, RestoringAfterALossIsASaveRestoreError) {
  driver_.halt();
  write_usbcmd(kCss);
  driver_.reset();
  write_usbcmd(kCrs);
  EXPECT_NE(driver_.usbsts() & kSre, 0u);
  rig_.write32(kOperational + 4, kSre);
  EXPECT_EQ(driver_.usbsts() & kSre, 0u) << "RW1C";
}

TEST_F(ControllerTest, MicroframesAreCountedWhileItRuns) {
  const std::uint32_t before = mfindex();
  rig_.time.advance(1ms);
  EXPECT_EQ(mfindex(), before + 8);
  rig_.time.advance(124us);
  EXPECT_EQ(mfindex(), before + 8);
  rig_.time.advance(1us);
  EXPECT_EQ(mfindex(), before + 9);
  driver_.halt();
  rig_.time.advance(1s);
  EXPECT_EQ(mfindex(), before + 9) << "frozen while halted";
  driver_.run();
  rig_.time.advance(125us);
  EXPECT_EQ(mfindex(), before + 10);
  driver_.reset();
  EXPECT_EQ(mfindex(), 0u);
}

TEST_F(ControllerTest, TheMicroframeIndexWrapsAfterTwoSeconds) {
  rig_.time.advance(2048ms);
  EXPECT_EQ(mfindex(), 0u);
  EXPECT_THAT(driver_.drain(), IsEmpty()) << "nobody asked for the event";
}

TEST_F(ControllerTest, AWrapEventComesEveryTwoSecondsWhereAskedFor) {
  rig_.time.advance(1s);
  write_usbcmd(kRunStop | kInte | kEwe);
  rig_.time.advance(1047ms);
  EXPECT_THAT(driver_.drain(), IsEmpty());
  rig_.time.advance(2ms);
  auto events = driver_.drain();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type(), TrbType::mfindex_wrap_event);
  rig_.time.advance(2048ms);
  EXPECT_EQ(driver_.drain().size(), 1u);
  write_usbcmd(kRunStop | kInte);
  rig_.time.advance(5s);
  EXPECT_THAT(driver_.drain(), IsEmpty());
}

TEST_F(ControllerTest, NoTimerIsArmedWhileNothingNeedsOne) {
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
  write_usbcmd(kRunStop | kInte | kEwe);
  EXPECT_EQ(rig_.time.armed_timers(), 1u);
  driver_.halt();
  EXPECT_EQ(rig_.time.armed_timers(), 0u);
}

TEST_F(ControllerTest, DoorbellsReadAsZeroAndThoseOfNobodyAreIgnored) {
  for (unsigned slot = 0; slot <= 17; ++slot) {
    for (unsigned target = 0; target < 256; ++target) driver_.ring(slot, target);
    EXPECT_EQ(rig_.read32(driver_.doorbell_register(slot)), 0u);
  }
  EXPECT_THAT(driver_.drain(), IsEmpty());
}

TEST_F(ControllerTest, PortChangesAreSeenInUsbsts) {
  rig_.write32(kOperational + 4, 1u << 4);
  rig_.unplug();
  EXPECT_NE(driver_.usbsts() & 1u << 4, 0u);
  rig_.write32(kOperational + 4, 1u << 4);
  EXPECT_EQ(driver_.usbsts() & 1u << 4, 0u);
}

TEST_F(ControllerTest, HotPluggingManyTimesLosesNothing) {
  for (unsigned i = 0; i < 100; ++i) {
    usb::testing::FakeDevice device(rig_.time, i % 2 == 0 ? Speed::high : Speed::super);
    const unsigned slot = rig_.address(device);
    ASSERT_NE(slot, 0u) << i;
    ASSERT_EQ(driver_.configure(slot, EndpointSetup{.dci = 3, .type = 6, .ring_trbs = 16}).code,
              CompletionCode::success);
    driver_.queue(slot, 3, normal(rig_.data, 64));
    driver_.ring(slot, 3);
    ASSERT_EQ(device.held(), 1u) << i;
    rig_.controller.detach(device);
    ASSERT_EQ(driver_.drain().size(), 2u) << "the port's change and the transfer's end";
    ASSERT_EQ(driver_.disable_slot(slot).code, CompletionCode::success);
    driver_.write_portsc(i % 2 == 0 ? 2 : 5, 1u << 9 | 0xfe'0000);
  }
}

}  // namespace
}  // namespace periplex::usb::xhci

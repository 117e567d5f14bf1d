// SPDX-License-Identifier: Apache-2.0
#include "usb/device/hid_device.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "usb/device/hid_keyboard.hpp"
#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"
#include "usb/device/testing/hid_bench.hpp"

namespace periplex::usb::device {
namespace {

using std::chrono::milliseconds;

constexpr KeyUsage kA{0x04};
constexpr SetupPacket kGetReportDescriptor{.request_type = 0x81, .request = 6, .value = 0x2200, .length = 255};
constexpr SetupPacket kGetHidDescriptor{.request_type = 0x81, .request = 6, .value = 0x2100, .length = 255};
constexpr SetupPacket kGetIdle{.request_type = 0xa1, .request = 2, .length = 1};
constexpr SetupPacket kGetProtocol{.request_type = 0xa1, .request = 3, .length = 1};
constexpr SetupPacket kEnableRemoteWakeUp{.request_type = 0x00, .request = 3, .value = 1};

SetupPacket set_idle(unsigned units) {
  return {.request_type = 0x21, .request = 0x0a, .value = static_cast<std::uint16_t>(units << 8)};
}
SetupPacket set_protocol(std::uint16_t value) {
  return {.request_type = 0x21, .request = 0x0b, .value = value};
}

/// Bits of the Input, Output and Feature reports that a report descriptor declares; checks its nesting.
struct ReportSizes {
  std::size_t input_bits = 0;
  std::size_t output_bits = 0;
  int depth = 0;
};
ReportSizes measure(ByteView descriptor) {
  ReportSizes sizes;
  std::uint32_t size = 0;
  std::uint32_t count = 0;
  ByteReader in(descriptor);
  while (in.remaining() > 0) {
    // A short item (HID 1.11 §6.2.2.2): size in bits 1:0, type and tag above.
    const std::uint8_t prefix = in.u8();
    const unsigned length = (prefix & 3) == 3 ? 4 : prefix & 3;
    std::uint32_t value = 0;
    for (unsigned i = 0; i < length; ++i) value |= std::uint32_t{in.u8()} << (8 * i);
    switch (prefix & 0xfc) {
      case 0x74:
        size = value;
        break;
      case 0x94:
        count = value;
        break;
      case 0x80:
        sizes.input_bits += std::size_t{size} * count;
        break;
      case 0x90:
        sizes.output_bits += std::size_t{size} * count;
        break;
      case 0xa0:
        ++sizes.depth;
        break;
      case 0xc0:
        --sizes.depth;
        break;
      default:
        break;
    }
  }
  EXPECT_TRUE(in.ok());
  return sizes;
}

template <typename Hid>
class HidDeviceTest : public ::testing::Test {
 protected:
  ReportSizes report_descriptor() {
    const TransferId id = bench.log.control(kGetReportDescriptor);
    bench.time.run_until_idle();
    return measure(bench.log.find(id)->data);
  }
  testing::HidBench<Hid> bench;
};
using Devices = ::testing::Types<HidKeyboard, HidTablet, HidMouse>;
TYPED_TEST_SUITE(HidDeviceTest, Devices);

TYPED_TEST(HidDeviceTest, TheReportDescriptorDeclaresWhatReportsHold) {
  const ReportSizes sizes = this->report_descriptor();
  EXPECT_EQ(sizes.depth, 0);
  EXPECT_EQ(sizes.input_bits, 8u * this->bench.device->description().interfaces[0].endpoints[0].payload);
  const std::string report = this->bench.ask({.request_type = 0xa1, .request = 1, .value = 0x0100, .length = 64});
  EXPECT_EQ((report.size() + 1) / 3 * 8, sizes.input_bits);
}

TYPED_TEST(HidDeviceTest, TheHidDescriptorTellsTheLengthOfTheReportDescriptor) {
  const TransferId id = this->bench.log.control(kGetReportDescriptor);
  this->bench.time.run_until_idle();
  const std::size_t length = this->bench.log.find(id)->data.size();
  EXPECT_EQ(this->bench.ask(kGetHidDescriptor), fmt::format("09 21 11 01 00 01 22 {:02x} 00", length));
  const SetupPacket whole{.request_type = 0x80, .request = 6, .value = 0x0200, .length = 255};
  EXPECT_NE(this->bench.ask(whole).find(this->bench.ask(kGetHidDescriptor)), std::string::npos);
}

TYPED_TEST(HidDeviceTest, RunsAtEverySpeed) {
  for (const Speed speed : {Speed::low, Speed::full, Speed::high, Speed::super, Speed::super_plus}) {
    testing::HidBench<TypeParam> bench(speed);
    bench.configure();
    EXPECT_TRUE(bench.device->configured());
    EXPECT_EQ(bench.report(bench.poll()), "-");
  }
}

TYPED_TEST(HidDeviceTest, TheIdleRateIsRemembered) {
  this->bench.configure();
  EXPECT_EQ(this->bench.ask(kGetIdle), "00");
  EXPECT_EQ(this->bench.ask(set_idle(25)), "");
  EXPECT_EQ(this->bench.ask(kGetIdle), "19");
  this->bench.device->reset();
  EXPECT_EQ(this->bench.ask(kGetIdle), "00");
}

TYPED_TEST(HidDeviceTest, WithoutAnIdleRateThereIsNoTimer) {
  this->bench.configure();
  this->bench.poll();
  this->bench.time.run_until_idle();
  EXPECT_EQ(this->bench.time.armed_timers(), 0u);
  (void)this->bench.ask(set_idle(25));
  EXPECT_EQ(this->bench.time.armed_timers(), 1u);
  (void)this->bench.ask(set_idle(0));
  EXPECT_EQ(this->bench.time.armed_timers(), 0u);
}

TYPED_TEST(HidDeviceTest, StrangeRequestsAreRefused) {
  this->bench.configure();
  const SetupPacket strange[] = {
      {.request_type = 0xa1, .request = 1, .value = 0x0101, .length = 8},  // a report id
      {.request_type = 0xa1, .request = 1, .value = 0x0300, .length = 8},  // a Feature report
      {.request_type = 0xa1, .request = 1, .value = 0x0100, .index = 1, .length = 8},
      {.request_type = 0xa1, .request = 2, .value = 1, .length = 1},
      {.request_type = 0xa1, .request = 2, .length = 2},
      {.request_type = 0xa1, .request = 7, .length = 1},
      {.request_type = 0xa0, .request = 1, .value = 0x0100, .length = 8},
      {.request_type = 0x21, .request = 9, .value = 0x0100},
      {.request_type = 0x21, .request = 9, .value = 0x0300},
      {.request_type = 0x21, .request = 9, .value = 0x0201},
      {.request_type = 0x21, .request = 0x0a, .value = 0x0101},
      {.request_type = 0x21, .request = 0x0b, .value = 2},
      {.request_type = 0x21, .request = 0x0c},
      {.request_type = 0x81, .request = 6, .value = 0x2201, .length = 9},
      {.request_type = 0x81, .request = 6, .value = 0x2300, .length = 9},
      {.request_type = 0xc0, .request = 1, .length = 9},
  };
  for (const SetupPacket& setup : strange) {
    EXPECT_EQ(this->bench.ask(setup), "stall") << hex(ByteWriter().le64(setup.encode()).view());
  }
}

TYPED_TEST(HidDeviceTest, SerialNumbersFollowTheName) {
  EXPECT_EQ(this->bench.device->description().serial_number, stable_serial_number("tested"));
}

TEST(HidProtocol, BootDevicesSwitchAndComeBackOnReset) {
  testing::HidBench<HidKeyboard> bench;
  bench.configure();
  EXPECT_EQ(bench.ask(kGetProtocol), "01");
  EXPECT_EQ(bench.ask(set_protocol(0)), "");
  EXPECT_EQ(bench.ask(kGetProtocol), "00");
  bench.device->reset();
  EXPECT_EQ(bench.ask(kGetProtocol), "01");
}

TEST(HidProtocol, ATabletHasNoBootProtocol) {
  testing::HidBench<HidTablet> bench;
  bench.configure();
  EXPECT_EQ(bench.ask(kGetProtocol), "stall");
  EXPECT_EQ(bench.ask(set_protocol(0)), "stall");
}

TEST(HidIdleRate, TheStateIsRepeatedOncePerPeriod) {
  testing::HidBench<HidKeyboard> bench;
  bench.configure();
  (void)bench.ask(set_idle(5));
  ASSERT_TRUE(bench.device->press(kA));
  EXPECT_EQ(bench.report(bench.poll()), "00 00 04 00 00 00 00 00");
  const TransferId repeated = bench.poll();
  bench.time.advance(milliseconds(19));
  EXPECT_EQ(bench.report(repeated), "-");
  bench.time.advance(milliseconds(1));
  EXPECT_EQ(bench.report(repeated), "00 00 04 00 00 00 00 00");
}

TEST(HidIdleRate, AGuestThatDoesNotAskCostsNoTimer) {
  testing::HidBench<HidKeyboard> bench;
  bench.configure();
  (void)bench.ask(set_idle(5));
  bench.time.advance(milliseconds(100));
  EXPECT_EQ(bench.time.armed_timers(), 0u);
  EXPECT_EQ(bench.report(bench.poll()), "00 00 00 00 00 00 00 00") << "the period is over already";
}

TEST(HidSuspend, ReportsWaitForTheResumeAndAskForIt) {
  testing::HidBench<HidKeyboard> bench;
  bench.configure();
  (void)bench.ask(kEnableRemoteWakeUp);
  int wake_ups = 0;
  bench.device->set_wake_up([&] { ++wake_ups; });
  const TransferId pending = bench.poll();
  bench.device->suspend();
  ASSERT_TRUE(bench.device->press(kA));
  EXPECT_EQ(wake_ups, 1);
  EXPECT_EQ(bench.report(pending), "-");
  bench.device->resume();
  EXPECT_EQ(bench.report(pending), "00 00 04 00 00 00 00 00");
}

TEST(HidSuspend, TheWakeUpMayResumeAtOnce) {
  testing::HidBench<HidTablet> bench;
  bench.configure();
  (void)bench.ask(kEnableRemoteWakeUp);
  bench.device->set_wake_up([&] { bench.device->resume(); });
  const TransferId pending = bench.poll();
  bench.device->suspend();
  bench.device->move_to(1, 2);
  EXPECT_EQ(bench.report(pending), "00 01 00 02 00 00 00");
}

}  // namespace
}  // namespace periplex::usb::device

// SPDX-License-Identifier: Apache-2.0
#include "host/evdev_description.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <linux/input-event-codes.h>

namespace periplex::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Capabilities, AreBitsOfWordsTheHighestFirst) {
  EXPECT_THAT(parse_capabilities("103", 100), ElementsAre(0, 1, 8));
  EXPECT_THAT(parse_capabilities("1 8000000000000000", 100), ElementsAre(63, 64));
  EXPECT_THAT(parse_capabilities("1 8000000000000000", 64), ElementsAre(63));
  EXPECT_THAT(parse_capabilities("0", 100), IsEmpty());
  EXPECT_THAT(parse_capabilities("", 100), IsEmpty());
  EXPECT_THAT(parse_capabilities("12 nonsense", 100), IsEmpty());
  EXPECT_THAT(parse_capabilities("11111111111111111", 100), IsEmpty()) << "more than a word";
}

class EvdevSysfs : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void add(const std::string& node, const char* keys, const char* relative = "0", const char* absolute = "0",
           const char* bus = "0011") {
    const auto device = root_ / node / "device";
    std::filesystem::create_directories(device / "capabilities");
    std::filesystem::create_directories(device / "id");
    std::ofstream(device / "capabilities" / "key") << keys << "\n";
    std::ofstream(device / "capabilities" / "rel") << relative << "\n";
    std::ofstream(device / "capabilities" / "abs") << absolute << "\n";
    std::ofstream(device / "id" / "bustype") << bus << "\n";
    std::ofstream(device / "id" / "vendor") << "0001\n";
    std::ofstream(device / "id" / "product") << "00ab\n";
    std::ofstream(device / "name") << "Device " << node << "\n";
    std::ofstream(device / "phys") << "isa0060/serio0/input0\n";
    std::ofstream(device / "uniq") << "\n";
  }

  // As Linux 6.1 writes them for a PS/2 keyboard, a PS/2 mouse, QEMU's tablet, a touchpad and a power button.
  static constexpr const char* kKeyboard = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe";
  static constexpr const char* kMouse = "70000 0 0 0 0";
  static constexpr const char* kTouchpad = "e520 10000 0 0 0 0";
  static constexpr const char* kPower = "10000000000000 0";

  const std::filesystem::path root_ = std::filesystem::path(::testing::TempDir()) / "periplex-input";
};

TEST_F(EvdevSysfs, KeyboardsAndPointersAreToldFromTheRest) {
  add("event10", kKeyboard);
  add("event2", kMouse, "3");
  add("event3", kMouse, "100", "3", "0003");
  add("event4", kTouchpad, "0", "2608000 3");
  add("event5", kPower);
  add("mouse0", kMouse, "3");
  const auto all = list_evdev(root_);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].node, "event2");
  EXPECT_EQ(all[0].kind, EvdevKind::mouse);
  EXPECT_EQ(all[1].kind, EvdevKind::tablet);
  EXPECT_TRUE(all[1].usb);
  EXPECT_EQ(all[2].node, "event10");
  EXPECT_EQ(all[2].kind, EvdevKind::keyboard);
  EXPECT_FALSE(all[2].usb);
  EXPECT_EQ(all[2].vendor, 1);
  EXPECT_EQ(all[2].product, 0xab);
  EXPECT_EQ(all[2].name, "Device event10");
  EXPECT_EQ(all[2].place, "isa0060/serio0/input0");
  EXPECT_EQ(all[2].serial_number, "");
}

TEST_F(EvdevSysfs, WhereThereIsNothingThereIsNothing) {
  EXPECT_THAT(list_evdev(root_), IsEmpty());
  EXPECT_FALSE(read_evdev_description("event0", root_));
}

}  // namespace
}  // namespace periplex::host

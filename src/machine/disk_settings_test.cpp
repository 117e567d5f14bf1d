// SPDX-License-Identifier: Apache-2.0
#include "machine/disk_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/peripheral.hpp"

namespace periplex::machine {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMebi = 1 << 20;

TEST(DiskSettings, SayHowADiskAtASeatIsBroughtToTheGuest) {
  EXPECT_EQ(parse_disk_settings("read-ahead=32M,write-cache=on"),
            (DiskSettings{.terminate = {}, .read_ahead = 32 * kMebi, .write_cache = DiskSettings::kWriteCache}));
  EXPECT_EQ(parse_disk_settings("terminate=off"),
            (DiskSettings{.terminate = false, .read_ahead = {}, .write_cache = {}}));
  EXPECT_EQ(parse_disk_settings("read-ahead=off,write-cache=65536")->write_cache, 65536u);
  EXPECT_EQ(parse_disk_settings("read-ahead=100K")->read_ahead, 102400u);
  EXPECT_EQ(parse_disk_settings("read-ahead=0")->read_ahead, 0u);
  const std::string all = "terminate=true,read-ahead=100K,write-cache=off";
  EXPECT_EQ(format_disk_settings(*parse_disk_settings(all)), all);
  const auto peripheral = parse_specification("seat,peripheral=desk/usb:1,read-ahead=off,write-cache=512K");
  ASSERT_TRUE(peripheral) << peripheral.error().text;
  EXPECT_EQ(peripheral->seat()->disk,
            (DiskSettings{.terminate = {}, .read_ahead = 0, .write_cache = std::uint64_t{512} << 10}));
  EXPECT_EQ(describe("seat", settings(*peripheral)), *peripheral);
}

TEST(DiskSettings, SayWhatIsWrongWithThem) {
  for (const auto& [text, expected] : {std::pair("read-ahead=fast", "read-ahead=fast is neither on, off nor a size"),
                                       std::pair("read-ahead=1K", "neither on, off nor a size"),
                                       std::pair("write-cache=65M", "neither on, off nor a size"),
                                       std::pair("write-cache=M", "neither on, off nor a size"),
                                       std::pair("read-ahead=99999999999999999999", "neither on, off nor a size"),
                                       std::pair("terminate=maybe", "neither true nor false"),
                                       std::pair("terminate=no,read-ahead=on", "neither read-ahead nor a write cache"),
                                       std::pair("terminate=no,terminate=no", "given twice"),
                                       std::pair("cache=on", "no setting \"cache\""), std::pair("", "not KEY=VALUE")}) {
    const auto disk = parse_disk_settings(text);
    ASSERT_FALSE(disk) << text;
    EXPECT_THAT(disk.error().text, HasSubstr(expected)) << text;
    EXPECT_FALSE(disk.error().advice.empty()) << text;
  }
  EXPECT_THAT(parse_disk_settings("write-cache=big").error().advice, HasSubstr("on (which is 8M)"));
  EXPECT_THAT(parse_specification("seat,peripheral=a/b,terminate=false,write-cache=on").error().text,
              HasSubstr("a disk that is tunnelled"));
}

TEST(DiskSettings, OfAPeripheralCountBeforeThoseOfItsMachine) {
  const DiskSettings of_machine = {.terminate = false, .read_ahead = kMebi, .write_cache = {}};
  EXPECT_EQ(DiskSettings{}.or_else(of_machine),
            (DiskSettings{.terminate = false, .read_ahead = {}, .write_cache = {}}));
  const DiskSettings own = {.terminate = true, .read_ahead = {}, .write_cache = kMebi};
  EXPECT_EQ(own.or_else(of_machine), (DiskSettings{.terminate = true, .read_ahead = kMebi, .write_cache = kMebi}));
  EXPECT_EQ(DiskSettings{}.or_else(kDefaultDiskSettings), kDefaultDiskSettings);
}

}  // namespace
}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#include "machine/peripheral.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::machine {
namespace {

using ::testing::HasSubstr;

TEST(Specification, ADiskWithEverySetting) {
  const auto description =
      parse_specification("storage,id=disk,image=/a/b.img,readonly=true,removable=on,speed=high,bad-sectors=7+100-107");
  ASSERT_TRUE(description);
  EXPECT_EQ(description->id, "disk");
  EXPECT_EQ(description->kind(), "storage");
  EXPECT_EQ(description->speed, usb::Speed::high);
  EXPECT_EQ(*description->storage(), (Storage{"/a/b.img", true, true, {{7, 7}, {100, 107}}}));
}

TEST(Specification, DefaultsAreThoseOfACommonDevice) {
  EXPECT_FALSE(parse_specification("storage,image=x")->speed) << "the machine chooses";
  EXPECT_EQ(natural_speed(parse_specification("storage,image=x").value()), usb::Speed::super);
  EXPECT_FALSE(parse_specification("storage,image=x")->storage()->readonly);
  for (const char* kind : {"keyboard", "tablet", "mouse"}) {
    const auto description = parse_specification(kind);
    ASSERT_TRUE(description) << kind;
    EXPECT_EQ(description->kind(), kind);
    EXPECT_EQ(natural_speed(*description), usb::Speed::full);
    EXPECT_EQ(description->id, "");
    EXPECT_EQ(description->controller, "");
  }
}

TEST(Specification, ADiskChoosesItsTransport) {
  EXPECT_EQ(parse_specification("storage,image=x")->storage()->transport, Transport::bulk_only);
  EXPECT_EQ(parse_specification("storage,image=x,transport=uas")->storage()->transport, Transport::uas);
}

TEST(Specification, ASerialPortMayHaveALink) {
  EXPECT_EQ(parse_specification("serial")->serial()->link, "");
  EXPECT_EQ(parse_specification("serial,link=/a")->serial()->link, "/a");
}

TEST(Specification, ASoundCardNamesWhereItPlaysToAndRecordsFrom) {
  EXPECT_EQ(*parse_specification("sound,playback=a,capture=b,speed=high")->sound(), (Sound{"a", "b"}));
  EXPECT_EQ(*parse_specification("sound,capture=b")->sound(), (Sound{"", "b"}));
}

TEST(Specification, TellsHowManyFilesComeWithIt) {
  const std::pair<const char*, std::size_t> wanted[] = {{"storage,image=x", 1},
                                                        {"storage,image=x,removable=true", 0},
                                                        {"keyboard", 0},
                                                        {"serial", 1},
                                                        {"sound,playback=a", 1},
                                                        {"sound,capture=a", 1},
                                                        {"sound,playback=a,capture=b", 2}};
  for (const auto& [text, count] : wanted) EXPECT_EQ(needed_files(parse_specification(text).value()), count) << text;
}

TEST(Specification, PathsAreKnownByTheirKeys) {
  for (const char* key : {"image", "link", "playback", "capture"}) EXPECT_TRUE(names_file(key)) << key;
  for (const char* key : {"id", "speed", "transport", "controller"}) EXPECT_FALSE(names_file(key)) << key;
}

TEST(Specification, ADoubledCommaIsACommaInAValue) {
  EXPECT_EQ(parse_specification("storage,image=a,,b.img,id=x")->storage()->image, "a,b.img");
  EXPECT_EQ(parse_specification("storage,image=a=b")->storage()->image, "a=b");
}

TEST(Specification, SettingsGiveTheDescriptionBack) {
  for (const char* text : {"storage,id=d,image=/x,removable=true,bad-sectors=1-2+9", "keyboard",
                           "mouse,speed=high,controller=x", "storage,image=x,transport=uas", "serial", "serial,link=/a",
                           "sound,playback=a", "sound,capture=a,speed=high"}) {
    const auto description = parse_specification(text);
    ASSERT_TRUE(description) << text;
    EXPECT_EQ(describe(description->kind(), settings(*description)), *description) << text;
  }
}

TEST(Specification, EveryMistakeIsNamedWithAdvice) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "no peripheral of kind \"\""},
      {"printer", "no peripheral of kind \"printer\""},
      {"storage", "no image"},
      {"storage,image=", "no image"},
      {"storage,image=x,readonly=maybe", "neither true nor false"},
      {"storage,image=x,readonly", "not KEY=VALUE"},
      {"storage,image=x,=y", "not KEY=VALUE"},
      {"storage,image=x,colour=red", "no setting \"colour\""},
      {"keyboard,image=x", "no setting \"image\""},
      {"keyboard,id=a,id=b", "given twice"},
      {"keyboard,id=", "cannot be an id"},
      {"keyboard,id=-a", "cannot be an id"},
      {"keyboard,id=a/b", "cannot be an id"},
      {"keyboard,controller=", "cannot be a controller"},
      {"keyboard,speed=warp", "no speed \"warp\""},
      {"storage,image=x,transport=tape", "no transport \"tape\""},
      {"serial,image=x", "no setting \"image\""},
      {"sound", "neither play nor record"},
      {"sound,playback=", "neither play nor record"},
      {"sound,playback=x,link=y", "no setting \"link\""},
      {"sound,playback=x,speed=super", "no sound cards at super speed"},
      {"storage,image=x,bad-sectors=9-3", "not a list of sectors"},
      {"storage,image=x,bad-sectors=1+a", "not a list of sectors"},
      {"storage,image=x,bad-sectors=99999999999999999999", "not a list of sectors"},
  };
  for (const auto& [text, expected] : mistakes) {
    const auto description = parse_specification(text);
    ASSERT_FALSE(description) << text;
    EXPECT_THAT(description.error().text, HasSubstr(expected)) << text;
    EXPECT_FALSE(description.error().advice.empty()) << text;
  }
}

TEST(Specification, AnIdIsShortAndPlain) {
  EXPECT_TRUE(is_valid_id("a"));
  EXPECT_TRUE(is_valid_id("disk-1_b.c"));
  EXPECT_TRUE(is_valid_id(std::string(63, 'a')));
  EXPECT_FALSE(is_valid_id(std::string(64, 'a')));
  EXPECT_FALSE(is_valid_id("a b"));
  EXPECT_FALSE(is_valid_id("\xc3\xa4"));
}

TEST(UsbipSpecification, NamesAHostAndABusId) {
  const auto description = parse_specification("usbip,id=u,host=[fd00::1]:3241,busid=1-1.4,ahead=8,speed=high");
  ASSERT_TRUE(description) << description.error().text;
  EXPECT_EQ(*description->usbip(), (Usbip{"[fd00::1]:3241", "1-1.4", 8}));
  EXPECT_TRUE(description->is_remote());
  EXPECT_EQ(needed_files(*description), 1u);
  EXPECT_EQ(describe("usbip", settings(*description)), *description);
  const auto listening = parse_specification("usbip,listen=0.0.0.0:3240");
  ASSERT_TRUE(listening) << listening.error().text;
  EXPECT_TRUE(listening->is_dialled_in());
  EXPECT_FALSE(description->is_dialled_in());
  EXPECT_EQ(listening->usbip()->bus_id, "1-1");
  EXPECT_EQ(needed_files(*listening), 1u);
  EXPECT_EQ(describe("usbip", settings(*listening)), *listening);
  for (const char* wrong : {"usbip", "usbip,host=h", "usbip,busid=1-1", "usbip,host=h,busid=a b",
                            "usbip,host=h,busid=", "usbip,host=h,busid=1-1,ahead=0", "usbip,host=h,busid=1-1,ahead=129",
                            "usbip,host=h,busid=1-1,image=x", "usbip,host=h,listen=:1,busid=1-1"}) {
    EXPECT_FALSE(parse_specification(wrong)) << wrong;
  }
}

TEST(UsbredirSpecification, NamesAHost) {
  const auto description = parse_specification("usbredir,id=u,host=[fd00::1]:4001,controller=x,speed=high");
  ASSERT_TRUE(description) << description.error().text;
  EXPECT_EQ(description->usbredir()->host, "[fd00::1]:4001");
  EXPECT_TRUE(description->is_remote());
  EXPECT_EQ(needed_files(*description), 1u);
  EXPECT_EQ(natural_speed(*description), usb::Speed::super);
  EXPECT_EQ(describe("usbredir", settings(*description)), *description);
  for (const char* wrong : {"usbredir", "usbredir,host=", "usbredir,host=h,busid=1-1"}) {
    EXPECT_FALSE(parse_specification(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace periplex::machine

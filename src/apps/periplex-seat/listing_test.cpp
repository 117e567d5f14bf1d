// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/listing.hpp"

#include <gmock/gmock.h>

#include "apps/periplex-seat/options.hpp"

namespace periplex::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Listed stick() {
  return {.id = "usb:0781:5567:42",
          .peripheral = {.vendor = 0x0781,
                         .product = 0x5567,
                         .interface_classes = {8},
                         .serial_number = "42",
                         .place = "1-2",
                         .description = "A \x1b[2Jstick"},
          .decision = {seat::Action::allow, "rule 1 (sticks)"},
          .details = {.speed = "high", .drivers = {"usb-storage"}, .kind_of_input = {}}};
}

TEST(Listing, SaysWhichRuleDecided) {
  const std::string text = table({stick()});
  EXPECT_THAT(text, HasSubstr("usb:0781:5567:42"));
  EXPECT_THAT(text, HasSubstr("USB, high speed"));
  EXPECT_THAT(text, HasSubstr("allow: rule 1 (sticks)"));
  EXPECT_THAT(table({}), HasSubstr("nothing"));
}

TEST(Listing, DevicesCannotTalkToTheTerminal) {
  EXPECT_THAT(table({stick()}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(line(stick()), Not(HasSubstr("\x1b")));
}

TEST(Listing, AsJsonItIsComplete) {
  EXPECT_EQ(to_json({stick()}),
            R"x({"peripherals":[{"id":"usb:0781:5567:42","kind":"usb","vendor":"0781","product":"5567","serial":"42",)x"
            R"x("place":"1-2","description":"A \u001b[2Jstick","action":"allow","by":"rule 1 (sticks)","class":0,)x"
            R"x("interface_classes":[8],"speed":"high","drivers":["usb-storage"]}]})x");
  Listed keyboard = stick();
  keyboard.peripheral.kind = seat::Kind::input;
  keyboard.details.kind_of_input = "keyboard";
  EXPECT_THAT(event_json("left", keyboard), HasSubstr(R"({"event":"left","peripheral":{)"));
  EXPECT_THAT(event_json("left", keyboard), HasSubstr(R"("input":"keyboard")"));
}

TEST(Peripherals, OfUsbHaveEachClassOnce) {
  host::UsbDescription device{.port = "1-2", .manufacturer = "Maker", .product = "Maker Thing"};
  usb::ParsedConfiguration configuration;
  for (const std::uint8_t each : std::initializer_list<std::uint8_t>{3, 8, 3}) {
    configuration.interfaces.push_back({{.interface_class = each}, {}, {}});
  }
  device.descriptors.configurations = {configuration};
  const seat::Peripheral peripheral = to_peripheral(device);
  EXPECT_THAT(peripheral.interface_classes, ElementsAre(3, 8));
  EXPECT_EQ(peripheral.description, "Maker Thing");
}

TEST(SeatCommandLineTest, NamesACommand) {
  const char* const list[] = {"periplex-seat", "list", "--json", "--config", "x.toml"};
  const auto line = parse_seat_command_line(5, list);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->command, SeatCommand::list);
  EXPECT_TRUE(line->json);
  EXPECT_EQ(line->configuration, "x.toml");
  EXPECT_EQ(parse_seat_command_line(1, list).error().status, 2);
  const char* const help[] = {"periplex-seat", "--help"};
  EXPECT_EQ(parse_seat_command_line(2, help).error().status, 0);
  EXPECT_THAT(parse_seat_command_line(2, help).error().text, HasSubstr("[[rule]]"));
}

}  // namespace
}  // namespace periplex::apps

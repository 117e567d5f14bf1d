// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::apps {
namespace {

TEST(Tables, PeripheralsStandInColumns) {
  EXPECT_EQ(peripherals_table(R"({"devices":[
      {"id":"disk","kind":"storage","controller":"xhci","port":5,"speed":"super","configured":true,"medium":true,
       "image":"/d.img","size":1572864,"readonly":true,"removable":true},
      {"id":"k","kind":"keyboard","controller":"ehci","port":1,"speed":"full","configured":false,
       "leds":["num_lock","caps_lock"]},
      {"id":"e","kind":"storage","controller":"xhci","port":6,"speed":"super","configured":false,"medium":false}]})"),
            "ID    KIND      CONTROLLER  PORT  SPEED  GUEST\n"
            "disk  storage   xhci        5     super  in use      /d.img (1.5 MiB, read-only, removable)\n"
            "k     keyboard  ehci        1     full   not in use  lit: num_lock, caps_lock\n"
            "e     storage   xhci        6     super  not in use  no medium");
  EXPECT_EQ(peripherals_table(R"({"devices":[]})"), "Nothing is plugged in.");
}

TEST(Tables, TheFarEndsOfSerialPortsAndSoundCardsAreShown) {
  EXPECT_EQ(peripherals_table(R"({"devices":[
      {"id":"a","kind":"serial","controller":"x","port":1,"speed":"high","configured":true,
       "terminal":{"path":"/dev/pts/3","open":true}},
      {"id":"b","kind":"serial","controller":"x","port":2,"speed":"high","configured":true,
       "terminal":{"path":"/dev/pts/4","link":"/l","open":false}},
      {"id":"c","kind":"sound","controller":"x","port":3,"speed":"full","configured":true,
       "playback":"/p.wav","capture":"/c.wav"},
      {"id":"d","kind":"storage","controller":"x","port":5,"speed":"super","configured":true,"medium":true,
       "image":"/d.img","size":512,"transport":"uas"}]})"),
            "ID  KIND     CONTROLLER  PORT  SPEED  GUEST\n"
            "a   serial   x           1     high   in use  /dev/pts/3 (open)\n"
            "b   serial   x           2     high   in use  /l (/dev/pts/4, not open)\n"
            "c   sound    x           3     full   in use  to /p.wav, from /c.wav\n"
            "d   storage  x           5     super  in use  /d.img (512 B, UAS)");
}

TEST(Tables, OnePeripheralIsALine) {
  EXPECT_EQ(peripheral_line(R"({"id":"s","controller":"ehci","port":1,"terminal":{"path":"/dev/pts/3"}})"),
            "s is in port 1 of ehci; its other end is /dev/pts/3");
  EXPECT_EQ(peripheral_line(R"({"id":"k","controller":"ehci","port":1})"), "k is in port 1 of ehci");
}

TEST(Tables, StatisticsShowControllersAndEndpoints) {
  EXPECT_EQ(statistics_table(
                R"({"loop":{"wakeups":2},"controllers":[{"name":"uhci","clients":1,"messages":9,"received_bytes":2048,
                    "sent_bytes":512,"interrupts":3,"mapped_bytes":1073741824}],"devices":[{"id":"d","endpoints":[
                   {"endpoint":"0x81","type":"bulk","guest_packets":2050,"data_sets":3,"requests":2,"resubmissions":1,
                    "cancellations":4,"bytes":131072,"errors":0,"missed_intervals":5},
                   {"endpoint":"0x82","type":"interrupt","guest_packets":0,"data_sets":0,"requests":0,"resubmissions":0,
                    "cancellations":0,"bytes":0,"errors":0,"missed_intervals":0}]}]})"),
            "CONTROLLER  CLIENTS  MESSAGES  INTERRUPTS  RECEIVED  SENT   MAPPED\n"
            "uhci        1        9         3           2 KiB     512 B  1 GiB\n"
            "\n"
            "The event loop woke up 2 times.\n"
            "\n"
            "ID  ENDPOINT  TYPE       PACKETS  REQUESTS  PACKETS/REQUEST  DATA SETS  BYTES   ERRORS  RESUBMITTED  "
            "CANCELLED  MISSED\n"
            "d   0x81      bulk       2050     2         1025.0           3          131072  0       1            4"
            "          5\n"
            "d   0x82      interrupt  0        0         -                0          0       0       0            0"
            "          0");
}

TEST(Tables, ADiskAtASeatShowsHowItIsBroughtHereAndWhatThatSaves) {
  const std::string begin = R"({"devices":[{"id":"d","kind":"seat","speed":"high","controller":"x","port":1,)"
                            R"("configured":true,"peripheral":"desk/usb:1","state":"plugged","disk":)";
  EXPECT_THAT(peripherals_table(begin + R"({"terminated":false}}]})"),
              ::testing::HasSubstr("desk/usb:1: plugged, tunnelled"));
  EXPECT_THAT(peripherals_table(begin + R"({"terminated":true,"read_ahead":16777216,"write_cache":0}}]})"),
              ::testing::EndsWith("desk/usb:1: plugged, terminated, read-ahead 16 MiB"));
  EXPECT_THAT(
      statistics_table(R"({"controllers":[],"devices":[{"id":"k","endpoints":[]},{"id":"d","endpoints":[],"disk":{)"
                       R"("commands":9,"round_trips":4,"bytes_read":2048,"bytes_written":512,"read_ahead_hits":3,)"
                       R"("read_ahead_misses":2,"read_ahead_bytes":4096,"wasted_bytes":1024,"early_writes":1,)"
                       R"("failed_early_writes":0}}]})"),
      ::testing::EndsWith("\n\n"
                          "DISK  COMMANDS  ROUND TRIPS  HITS  MISSES  EARLY WRITES  FAILED LATER  READ   WRITTEN  "
                          "READ AHEAD  WASTED\n"
                          "d     9         4            3     2       1             0             2 KiB  512 B    "
                          "4 KiB       1 KiB"));
}

TEST(Tables, StatisticsShowWhatSessionsWithSeatsHaveCounted) {
  EXPECT_THAT(statistics_table(R"({"loop":{"wakeups":2},"controllers":[],"devices":[{"id":"d","endpoints":[]},
                                   {"id":"k","session":{"reports":7,"full_queues":0,"holds":1}}]})"),
              ::testing::EndsWith("\n\nID  SESSION WITH ITS SEAT\nk   reports 7, holds 1"));
}

TEST(Tables, ClientsOfControllersAreFound) {
  const auto clients = controller_clients(
      R"({"controllers":[{"name":"a","client":{"connected":true,"shared_bytes":7}},{"name":"b","client":{}},{}]})");
  ASSERT_EQ(clients.size(), 2u);
  EXPECT_EQ(clients[0].name, "a");
  EXPECT_TRUE(clients[0].connected);
  EXPECT_EQ(clients[0].shared_bytes, 7u);
  EXPECT_FALSE(clients[1].connected);
}

TEST(Tables, MembersOfStrangeAnswersAreAbsent) {
  for (const char* strange : {"", "[]", "{", "null", R"({"a":[]})"}) {
    EXPECT_EQ(text_member(strange, "a"), "") << strange;
    EXPECT_FALSE(number_member(strange, "a")) << strange;
    EXPECT_TRUE(controller_clients(strange).empty()) << strange;
    EXPECT_EQ(peripherals_table(strange), "Nothing is plugged in.") << strange;
  }
  EXPECT_EQ(number_member(R"({"a":7})", "a"), 7u);
}

TEST(Tables, TellHowItStandsWithWhatIsSomewhereElse) {
  const std::string far = R"({"id":"u","kind":"usbip","speed":null,"controller":"","port":0,"configured":false,)"
                          R"("host":"h","busid":"1-1","state":"gone","why":"lost"})";
  EXPECT_THAT(peripherals_table(R"({"devices":[)" + far + "]}"), ::testing::HasSubstr("1-1 at h: gone (lost)"));
  const std::string redirected = R"({"id":"u","kind":"usbredir","speed":"high","controller":"x","port":1,)"
                                 R"("configured":true,"host":"h:4000","state":"plugged"})";
  EXPECT_THAT(peripherals_table(R"({"devices":[)" + redirected + "]}"),
              ::testing::HasSubstr("in use  h:4000: plugged"));
  EXPECT_THAT(peripheral_line(R"({"id":"u","state":"connecting"})"), ::testing::HasSubstr("u is connecting"));
}

}  // namespace
}  // namespace periplex::apps

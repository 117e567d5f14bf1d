// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace periplex::control {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) found.push_back(line);
  return found;
}

machine::EndpointStatistics endpoint(std::uint8_t address, usb::TransferType type, std::uint64_t first) {
  return {.endpoint = usb::EndpointAddress(address),
          .type = type,
          .counters = {.guest_packets = first,
                       .data_sets = first + 1,
                       .requests = first + 2,
                       .resubmissions = first + 3,
                       .cancellations = first + 4,
                       .bytes = first + 5,
                       .errors = first + 6,
                       .missed_intervals = first + 7}};
}

/// Two controllers, two peripherals, three endpoints, and a name that has to be escaped.
std::string sample() {
  machine::MachineView machine{.name = "vm1"};
  machine.uptime = std::chrono::seconds(7);
  machine.controllers = {{.name = "xhci", .client = {.connected = true}}, {.name = "a\\b\"c\nd"}};
  std::vector<machine::PeripheralView> peripherals(1);
  peripherals[0].description = machine::parse_specification("keyboard,id=k,controller=xhci").value();
  peripherals[0].configured = true;
  machine::Statistics statistics{.wakeups = 9};
  statistics.controllers = {{.name = "xhci",
                             .clients = 1,
                             .messages = 2,
                             .received_bytes = 3,
                             .sent_bytes = 4,
                             .interrupts = 5,
                             .mapped_bytes = 6},
                            {.name = "a\\b\"c\nd"}};
  statistics.peripherals = {
      {.id = "d",
       .controller = "xhci",
       .endpoints = {endpoint(0x81, usb::TransferType::bulk, 10), endpoint(2, usb::TransferType::bulk, 20)}},
      {.id = "k",
       .controller = "xhci",
       .endpoints = {endpoint(0x81, usb::TransferType::interrupt, 30)},
       .session = {{"holds", 3}}},
      {.id = "far",
       .controller = "xhci",
       .endpoints = {},
       .disk = machine::DiskStatistics{.commands = 1,
                                       .round_trips = 2,
                                       .bytes_read = 3,
                                       .bytes_written = 4,
                                       .read_ahead_hits = 5,
                                       .read_ahead_misses = 6,
                                       .read_ahead_bytes = 7,
                                       .wasted_bytes = 8,
                                       .early_writes = 9,
                                       .failed_early_writes = 10}}};
  return metrics_text(machine, peripherals, statistics);
}

TEST(Metrics, EveryLineIsOneOfTheExpositionFormat) {
  // https://prometheus.io/docs/instrumenting/exposition_formats/, "Text format details"
  const std::regex help("# HELP [a-zA-Z_:][a-zA-Z0-9_:]* [^\n\\\\]+");
  const std::regex type("# TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (counter|gauge)");
  const std::string label = R"re([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\\\|\\"|\\n)*")re";
  const std::regex value("[a-zA-Z_:][a-zA-Z0-9_:]*\\{" + label + "(," + label + ")*\\} [0-9]+");
  const std::string text = sample();
  EXPECT_THAT(text, EndsWith("\n")) << "the last line must end with a line feed";
  for (const std::string& line : lines(text)) {
    EXPECT_TRUE(std::regex_match(line, help) || std::regex_match(line, type) || std::regex_match(line, value)) << line;
  }
}

TEST(Metrics, EveryMetricIsOneGroupWithHelpAndTypeFirst) {
  std::set<std::string> begun;
  std::set<std::string> samples;
  std::string current;
  const std::vector<std::string> all = lines(sample());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].starts_with("# HELP ")) {
      current = all[i].substr(7, all[i].find(' ', 7) - 7);
      EXPECT_TRUE(begun.insert(current).second) << current << " comes twice";
      ASSERT_LT(i + 1, all.size());
      EXPECT_TRUE(all[i + 1].starts_with("# TYPE " + current + " ")) << all[i + 1];
      EXPECT_EQ(all[i + 1].ends_with(" counter"), current.ends_with("_total")) << all[i + 1];
    } else if (!all[i].starts_with("#")) {
      EXPECT_TRUE(all[i].starts_with(current + "{")) << all[i];
      EXPECT_TRUE(samples.insert(all[i].substr(0, all[i].rfind(' '))).second) << all[i] << ": the same labels twice";
    }
  }
}

TEST(Metrics, NameEveryCounterOfAnEndpoint) {
  const std::vector<std::string> all = lines(sample());
  const std::string bulk = R"({machine="vm1",peripheral="d",controller="xhci",endpoint="0x02",type="bulk"})";
  int expected = 20;
  for (const char* word : {"guest_packets", "data_sets", "requests", "resubmissions", "cancellations", "bytes",
                           "errors", "missed_intervals"}) {
    const std::string line = "periplex_endpoint_" + std::string(word) + "_total" + bulk + " ";
    EXPECT_THAT(all, Contains(line + std::to_string(expected++)));
  }
  EXPECT_THAT(all, Contains("periplex_endpoint_bytes_total{machine=\"vm1\",peripheral=\"k\",controller=\"xhci\","
                            "endpoint=\"0x81\",type=\"interrupt\"} 35"));
}

TEST(Metrics, NameEveryCounterOfADiskAtASeat) {
  const std::vector<std::string> all = lines(sample());
  int expected = 1;
  for (const char* word :
       {"commands", "round_trips", "read_bytes", "written_bytes", "read_ahead_hits", "read_ahead_misses",
        "read_ahead_bytes", "wasted_bytes", "early_writes", "failed_early_writes"}) {
    EXPECT_THAT(all,
                Contains("periplex_disk_" + std::string(word) +
                         R"(_total{machine="vm1",peripheral="far",controller="xhci"} )" + std::to_string(expected++)));
  }
}

TEST(Metrics, TellOfSessionsWithSeats) {
  EXPECT_THAT(lines(sample()),
              Contains("periplex_session_events_total{machine=\"vm1\",peripheral=\"k\",event=\"holds\"} 3"));
}

TEST(Metrics, TellOfControllersAndPeripherals) {
  const std::vector<std::string> all = lines(sample());
  EXPECT_THAT(all, Contains(R"(periplex_uptime_seconds{machine="vm1"} 7)"));
  EXPECT_THAT(all, Contains(R"(periplex_loop_wakeups_total{machine="vm1"} 9)"));
  EXPECT_THAT(all, Contains(R"(periplex_controller_connected{machine="vm1",controller="xhci"} 1)"));
  EXPECT_THAT(all, Contains(R"(periplex_controller_interrupts_total{machine="vm1",controller="xhci"} 5)"));
  EXPECT_THAT(all, Contains(R"(periplex_controller_mapped_bytes{machine="vm1",controller="xhci"} 6)"));
  EXPECT_THAT(sample(), HasSubstr("periplex_peripheral_configured{machine=\"vm1\",peripheral=\"k\",controller=\"xhci\","
                                  "kind=\"keyboard\"} 1\n"));
}

TEST(Metrics, LabelsAreEscaped) {
  EXPECT_THAT(sample(), HasSubstr(R"(controller="a\\b\"c\nd"} 0)"));
}

}  // namespace
}  // namespace periplex::control

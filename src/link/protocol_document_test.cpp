// SPDX-License-Identifier: Apache-2.0
// docs/protocol.md says what the code does: its examples are what we send, and are understood.
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>
#include <sstream>

#include "link/datagram.hpp"
#include "link/session.hpp"
#include "link/testing/samples.hpp"

namespace periplex::link {
namespace {

using ::testing::HasSubstr;

std::string document() {
  std::ifstream file(PERIPLEX_PROTOCOL_DOCUMENT);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Example {
  std::string heading;
  std::string kind;  ///< what stands behind ```hex
  Bytes bytes;
};

/// The blocks of hexadecimal bytes of the document, each with the heading it stands under.
std::vector<Example> examples(const std::string& page) {
  std::vector<Example> found;
  std::string heading;
  bool inside = false;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#") && !inside) heading = line;
    if (line.starts_with("```")) {
      if (!inside && line.starts_with("```hex")) found.push_back({.heading = heading, .kind = line.substr(6)});
      inside = !inside && line.starts_with("```hex");
      continue;
    }
    if (!inside) continue;
    std::istringstream digits(line.substr(0, line.find('#')));
    for (std::string byte; digits >> byte;) {
      found.back().bytes.push_back(static_cast<std::byte>(std::stoul(byte, nullptr, 16)));
    }
  }
  return found;
}

TEST(ProtocolDocument, ShowsOneExampleOfEachFrameAndThatIsWhatIsSent) {
  const auto shown = examples(document());
  for (const testing::Sample& sample : testing::samples()) {
    const std::string heading = fmt::format("### {} (0x{:02x})", sample.name, static_cast<unsigned>(sample.type));
    std::vector<std::string> here;
    for (const Example& example : shown) {
      if (example.heading == heading) here.push_back(hex(example.bytes));
    }
    EXPECT_THAT(here, ::testing::ElementsAre(hex(sample.bytes))) << heading;
  }
}

TEST(ProtocolDocument, ShowsExamplesThatAreUnderstood) {
  std::size_t frames = 0;
  std::set<Datagram::Type> datagrams;
  for (const Example& example : examples(document())) {
    if (example.kind == " datagram") {
      const auto datagram = Datagram::parse(example.bytes);
      ASSERT_TRUE(datagram);
      EXPECT_EQ(hex(datagram->bytes()), hex(example.bytes));
      datagrams.insert(datagram->type);
      continue;
    }
    FrameReader reader;
    reader.feed(example.bytes);
    const auto frame = reader.next();
    ASSERT_TRUE(frame && *frame) << example.heading;
    EXPECT_TRUE(reader.rest().empty()) << example.heading;
    EXPECT_TRUE(testing::is_understood(**frame)) << example.heading;
    ++frames;
  }
  EXPECT_EQ(frames, testing::samples().size());
  EXPECT_EQ(datagrams.size(), 4U);
}

TEST(ProtocolDocument, ListsTheReasonsThereAre) {
  const std::string page = document();
  for (std::uint16_t number = 0; number < 256; ++number) {
    const std::string row = fmt::format("| {} | {} |\n", number, name(Reason{number}));
    if (name(Reason{number}) != "unknown reason") {
      EXPECT_THAT(page, HasSubstr(row));
    } else {
      EXPECT_THAT(page, ::testing::Not(HasSubstr(fmt::format("\n| {} | ", number) + "unknown")));
    }
  }
}

TEST(ProtocolDocument, NamesTheLimitsThereAre) {
  const std::string page = document();
  EXPECT_EQ(kMaxPayload, 16'896U);
  EXPECT_THAT(page, HasSubstr("length of the payload, at most 16,896"));
  EXPECT_EQ(kMaxPiece, 16'384U);
  EXPECT_THAT(page, HasSubstr("1 to 16,384 bytes of the stream"));
  EXPECT_EQ(Windows::kMin, 16U * 1024);
  EXPECT_EQ(Windows::kMax, 16U * 1024 * 1024);
  EXPECT_THAT(page, HasSubstr("from 16 KiB to 16 MiB"));
  EXPECT_EQ(Session::kMaxPeripherals, 128U);
  EXPECT_EQ(Session::kMaxChannels, 64U);
  EXPECT_THAT(page, HasSubstr("At most 128 at a time."));
  EXPECT_THAT(page, HasSubstr("At most 64 at a time."));
  EXPECT_EQ(Datagram::kMaxSize, 1152U);
  EXPECT_THAT(page, HasSubstr("at most 1,152 bytes"));
  EXPECT_EQ(DatagramWay::kProbeInterval, std::chrono::milliseconds(500));
  EXPECT_THAT(page, HasSubstr("a probe every 500 ms"));
  EXPECT_EQ(DatagramWay::kProbeAgain, std::chrono::milliseconds(150));
  EXPECT_EQ(DatagramWay::kMaxUnanswered, 8U);
  EXPECT_THAT(page, HasSubstr("every 150 ms while one is not answered, and after eight of these"));
  EXPECT_EQ(DatagramWay::kAcknowledgeDelay, std::chrono::milliseconds(10));
  EXPECT_THAT(page, HasSubstr("10 ms later at most"));
  EXPECT_EQ(DatagramWay::kRate, 512U * 1024);
  EXPECT_THAT(page, HasSubstr("512 KiB a second"));
  EXPECT_EQ(StreamCopy::kMaxKept, 64U * 1024);
  EXPECT_THAT(page, HasSubstr("the last 64 KiB"));
  EXPECT_EQ(KeepAlive::kMaxSilent, 4U);
  EXPECT_THAT(page, HasSubstr("for more than four intervals"));
  EXPECT_EQ(KeepAlive::kMaxSilentYetThere, 16U);
  EXPECT_THAT(page, HasSubstr("sixteen"));
  EXPECT_EQ(Arbiter::kMaxPassedOver, 8U);
  EXPECT_THAT(page, HasSubstr("passed over eight times"));
  EXPECT_THAT(page, HasSubstr(fmt::format("TCP port {}", kDefaultPort)));
}

}  // namespace
}  // namespace periplex::link

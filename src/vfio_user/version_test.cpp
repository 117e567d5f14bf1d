// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/version.hpp"

#include <gtest/gtest.h>

namespace periplex::vfio_user {
namespace {

constexpr std::string_view kQemu11 =
    R"({"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, )"
    R"("migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}})";
constexpr std::string_view kCloudHypervisor =
    R"({"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}})";
constexpr std::string_view kOurs = R"({"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576}})";

std::string text_of(const Bytes& payload) {
  EXPECT_GT(payload.size(), Version::kSize);
  EXPECT_EQ(payload.back(), std::byte{0});
  return std::string(as_text(ByteView(payload).subspan(Version::kSize, payload.size() - Version::kSize - 1)));
}

Bytes answer_to(std::uint16_t minor, std::string_view json) {
  const Bytes request = propose({.major = 0, .minor = minor}, json);
  const auto proposal = parse_proposal(request);
  EXPECT_TRUE(proposal);
  const auto reply = answer(*proposal, request.size());
  EXPECT_TRUE(reply);
  EXPECT_LE(reply->size(), request.size());
  return *reply;
}

TEST(Version, AnswersQemuAndCloudHypervisorWithTheSameShortText) {
  EXPECT_EQ(text_of(answer_to(0, kQemu11)), kOurs);
  EXPECT_EQ(text_of(answer_to(1, kCloudHypervisor)), kOurs);
}

TEST(Version, TheMinorVersionIsOneBothKnow) {
  const Bytes reply = answer_to(1, kCloudHypervisor);
  EXPECT_EQ(parse_proposal(reply)->version.minor, 0);
}

TEST(Version, NeverAnswersLongerThanItWasAsked) {
  EXPECT_EQ(text_of(answer_to(0, R"({"capabilities":{"max_msg_fds":8}})")), R"({"capabilities":{}})");
  EXPECT_EQ(text_of(answer_to(0, "{}")), "{}");
  EXPECT_EQ(answer_to(0, "").size(), Version::kSize);
}

TEST(Version, ReadsCapabilitiesAndKnowsTheDefaults) {
  const auto proposal = parse_proposal(propose({}, kCloudHypervisor));
  EXPECT_EQ(proposal->capabilities.max_msg_fds, 1u);
  EXPECT_EQ(proposal->capabilities.max_data_xfer_size, 1u << 20);
  EXPECT_EQ(parse_proposal(propose({}, kQemu11))->capabilities.max_msg_fds, 16u);
  EXPECT_EQ(parse_proposal(propose({}, "{}"))->capabilities.max_msg_fds, 1u);
}

TEST(Version, AnotherMajorVersionIsNotSupported) {
  const auto proposal = parse_proposal(propose({.major = 1, .minor = 0}, kQemu11));
  EXPECT_EQ(answer(*proposal, 500).error(), std::errc::not_supported);
}

TEST(Version, RefusesTextThatIsNoObjectOfTheRightTypes) {
  for (const std::string_view text :
       {"", "[]", "{", "null", R"({"capabilities":1})", R"({"capabilities":{"max_msg_fds":"16"}})",
        R"({"capabilities":{"max_msg_fds":-1}})", R"({"capabilities":{"max_data_xfer_size":1.5}})"}) {
    Bytes payload = propose({}, text);
    if (text.empty()) payload.push_back(std::byte{0});  // a lone NUL
    EXPECT_EQ(parse_proposal(payload).error(), std::errc::invalid_argument) << text;
  }
  EXPECT_FALSE(parse_proposal(propose({}, std::string(10'000, '['))));
  EXPECT_FALSE(parse_proposal({}));
  Bytes unterminated = propose({}, "{}");
  unterminated.pop_back();
  EXPECT_FALSE(parse_proposal(unterminated));
}

}  // namespace
}  // namespace periplex::vfio_user

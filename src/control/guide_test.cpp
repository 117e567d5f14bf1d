// SPDX-License-Identifier: Apache-2.0
// The guide to the control API (docs/guide/control-api.md) says what the code does.
#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

#include "control/http.hpp"
#include "control/routes.hpp"
#include "control/server.hpp"
#include "control/session.hpp"

namespace periplex::control {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

constexpr std::size_t kKibi = 1024;

std::string guide() {
  std::ifstream file(PERIPLEX_CONTROL_GUIDE);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Every `METHOD /path` that stands in backquotes in a heading of the third level.
std::vector<std::string> headings(const std::string& page) {
  std::vector<std::string> found;
  std::size_t next = 0;
  for (std::size_t begin = 0; begin < page.size(); begin = next) {
    next = std::min(page.find('\n', begin), page.size() - 1) + 1;
    const std::string line = page.substr(begin, next - begin);
    if (!line.starts_with("### ")) continue;
    for (std::size_t open = line.find('`'); open != std::string::npos;) {
      const std::size_t close = line.find('`', open + 1);
      if (close == std::string::npos) break;
      found.push_back(line.substr(open + 1, close - open - 1));
      open = line.find('`', close + 1);
    }
  }
  return found;
}

TEST(ControlGuide, DescribesExactlyTheRoutesThereAre) {
  std::vector<std::string> there;
  for (const Route& route : routes()) there.push_back(fmt::format("{} {}", route.method, route.path));
  EXPECT_THAT(headings(guide()), UnorderedElementsAreArray(there));
}

TEST(ControlGuide, NamesTheLimitsThereAre) {
  const std::string page = guide();
  EXPECT_THAT(page, HasSubstr(fmt::format("| header of a request | {} KiB |", http::kMaxHeaderSize / kKibi)));
  EXPECT_THAT(page, HasSubstr(fmt::format("| body of a request | {} KiB |", http::kMaxBodySize / kKibi)));
  EXPECT_THAT(page, HasSubstr(fmt::format("| descriptors with a request | {} |", Session::kMaxFiles)));
  EXPECT_THAT(page, HasSubstr(fmt::format("| connections | {} |", Server::kMaxSessions)));
}

}  // namespace
}  // namespace periplex::control

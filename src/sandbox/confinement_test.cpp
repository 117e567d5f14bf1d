// SPDX-License-Identifier: Apache-2.0
#include "sandbox/confinement.hpp"

#include <gtest/gtest.h>

namespace periplex::sandbox {
namespace {

TEST(Confinement, SaysWhatIsInForceAndWhatIsMissing) {
  Confinement confinement;
  EXPECT_EQ(to_text(confinement), "nothing");
  confinement.note("no-core-files", {});
  confinement.note("landlock", std::unexpected("this kernel has none"));
  EXPECT_EQ(confinement.in_force, std::vector<std::string>{"no-core-files"});
  EXPECT_EQ(to_text(confinement), "no-core-files; missing: landlock: this kernel has none");
}

}  // namespace
}  // namespace periplex::sandbox

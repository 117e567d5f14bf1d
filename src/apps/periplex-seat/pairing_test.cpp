// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/pairing.hpp"

#include <filesystem>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

namespace periplex::apps {
namespace {

namespace fs = std::filesystem;

struct PairingTest : ::testing::Test {
  ~PairingTest() override { fs::remove_all(directory); }
  [[nodiscard]] static unsigned mode(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }
  const std::string directory = fs::temp_directory_path() / ("periplex-pairing-" + std::to_string(::getpid()));
};

TEST_F(PairingTest, TheKeyIsMadeOnceAndNobodyElseMayReadIt) {
  const auto key = own_key(directory);
  ASSERT_TRUE(key) << key.error();
  EXPECT_TRUE(key->starts_with("-----BEGIN"));
  EXPECT_EQ(mode(directory), 0700U);
  EXPECT_EQ(mode(directory + "/key.pem"), 0600U);
  EXPECT_EQ(own_key(directory), key);
  EXPECT_FALSE(read_pairing(directory).value()) << "a key alone is no pairing";
}

TEST_F(PairingTest, IsReadAsItWasKept) {
  const auto key = own_key(directory);
  ASSERT_TRUE(key);
  ASSERT_TRUE(keep_pairing(directory, {.own = {.certificate = "certificate", .key = *key},
                                       .authority = "authority",
                                       .gate = "host:1",
                                       .name = "desk"}));
  const auto pairing = read_pairing(directory).value();
  ASSERT_TRUE(pairing);
  EXPECT_EQ(pairing->own.certificate, "certificate");
  EXPECT_EQ(pairing->own.key, *key);
  EXPECT_EQ(pairing->authority, "authority");
  EXPECT_EQ(pairing->gate, "host:1");
  EXPECT_EQ(pairing->name, "desk");
}

TEST_F(PairingTest, WhereThereIsNothingThereIsNone) {
  EXPECT_FALSE(read_pairing("/nonexistent").value());
}

}  // namespace
}  // namespace periplex::apps

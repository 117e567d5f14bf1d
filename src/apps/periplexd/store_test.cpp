// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/store.hpp"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/files.hpp"
#include "base/bytes.hpp"

namespace periplex::apps {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  ~StoreTest() override { std::filesystem::remove_all(directory); }

  static mode_t mode_of(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  gate::EnrolmentQuestion question(const link::Token& token, std::uint64_t id = 1) const {
    return {.id = id, .digest = link::digest_of(token.secret), .request = link::make_request(key, "me").value()};
  }

  const std::string directory = ::testing::TempDir() + fmt::format("periplex-store-{}", ::getpid());
  const std::string key = link::make_key().value();
  const Store::Time now = std::chrono::system_clock::now();
};

TEST_F(StoreTest, MakesItsAuthorityOnceAndKeepsItsKeyPrivate) {
  const auto first = Store::open(directory);
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(mode_of(directory), 0700U);
  EXPECT_EQ(mode_of(directory + "/authority.key"), 0600U);
  const auto second = Store::open(directory);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->authority(), second->authority());
}

TEST_F(StoreTest, DoesNotReplaceAnAuthorityWhoseKeyIsGone) {
  ASSERT_TRUE(Store::open(directory));
  std::filesystem::remove(directory + "/authority.key");
  const auto again = Store::open(directory);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error(), HasSubstr("authority.key is missing"));
}

TEST_F(StoreTest, KeepsTheGatesCertificateWhileItIsGood) {
  const auto store = Store::open(directory).value();
  const auto first = store.gate("host");
  ASSERT_TRUE(first);
  EXPECT_EQ(store.gate("host")->key, first->key);
  EXPECT_NE(store.gate("other")->key, first->key);
  EXPECT_TRUE(link::verify(first->certificate, store.authority(), link::CertificateUse::gate));
  EXPECT_EQ(mode_of(directory + "/gate.key"), 0600U);
}

TEST_F(StoreTest, ATokenLetsOneSeatInOnce) {
  const auto store = Store::open(directory).value();
  const auto token = store.invite("desk-7", now);
  ASSERT_TRUE(token) << token.error();
  EXPECT_TRUE(store.seats().empty());
  const auto verdict = store.enrol(question(*token), now + 1min);
  ASSERT_NE(verdict.certificate, "") << verdict.why;
  EXPECT_EQ(verdict.name, "desk-7");
  EXPECT_TRUE(link::verify(verdict.certificate, store.authority(), link::CertificateUse::seat));
  ASSERT_EQ(store.seats().size(), 1U);
  EXPECT_EQ(store.seats()[0].name, "desk-7");
  EXPECT_EQ(store.seats()[0].fingerprint, link::inspect(verdict.certificate)->fingerprint);
  const auto again = store.enrol(question(*token, 2), now + 1min);
  EXPECT_EQ(again.id, 2U);
  EXPECT_EQ(again.certificate, "");
  EXPECT_THAT(again.why, HasSubstr("not good"));
}

TEST_F(StoreTest, ATokenIsGoodForAWhileOnly) {
  const auto store = Store::open(directory).value();
  const auto token = store.invite("desk-7", now, 60s);
  ASSERT_TRUE(token);
  EXPECT_EQ(store.enrol(question(*token), now + 61s).certificate, "");
  EXPECT_NE(store.enrol(question(*token), now + 59s).certificate, "");
}

TEST_F(StoreTest, NobodyGetsInWithoutAToken) {
  const auto store = Store::open(directory).value();
  gate::EnrolmentQuestion asked = question(*link::Token::make(std::string(64, 'a')));
  EXPECT_EQ(store.enrol(asked, now).certificate, "");
  for (const char* digest : {"", "../authority.key", "../../etc/passwd", "."}) {
    asked.digest = digest;
    EXPECT_EQ(store.enrol(asked, now).certificate, "") << digest;
  }
  EXPECT_TRUE(store.seats().empty());
}

TEST_F(StoreTest, ARequestThatIsNoneUsesTheTokenUp) {
  const auto store = Store::open(directory).value();
  const auto token = store.invite("desk-7", now);
  gate::EnrolmentQuestion asked = question(*token);
  asked.request = "nonsense";
  EXPECT_EQ(store.enrol(asked, now).certificate, "");
  EXPECT_EQ(store.enrol(question(*token), now).certificate, "");
}

TEST_F(StoreTest, TheSecretIsNotKept) {
  const auto store = Store::open(directory).value();
  const auto token = store.invite("desk-7", now);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const auto content = read_small_file(entry.path().string()).value().value_or("");
    EXPECT_EQ(content.find(token->text()), std::string::npos);
    EXPECT_EQ(content.find(std::string(as_text(token->secret))), std::string::npos);
  }
}

TEST_F(StoreTest, ASeatThatIsForgottenMayNotCome) {
  const auto store = Store::open(directory).value();
  (void)store.enrol(question(*store.invite("desk-7", now)), now);
  ASSERT_EQ(store.seats().size(), 1U);
  EXPECT_EQ(store.forget("desk-7"), true);
  EXPECT_EQ(store.forget("desk-7"), false);
  EXPECT_EQ(store.forget("../authority"), false);
  EXPECT_TRUE(store.seats().empty());
  EXPECT_FALSE(store.invite("../x", now));
}

TEST_F(StoreTest, ACertificateOfAnotherAuthorityIsNoSeats) {
  const auto store = Store::open(directory).value();
  const auto other = link::make_authority("other").value();
  const auto seat = link::issue(other, "desk-7", link::CertificateUse::seat).value();
  ASSERT_TRUE(replace_file(directory + "/seats/desk-7.pem", seat.certificate, 0644));
  EXPECT_TRUE(store.seats().empty());
}

}  // namespace
}  // namespace periplex::apps

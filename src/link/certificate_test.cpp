// SPDX-License-Identifier: Apache-2.0
#include "link/certificate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::link {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

TEST(Certificate, IsVerifiedAgainstTheAuthorityThatSignedItAndForItsUseOnly) {
  const auto authority = make_authority("lab authority");
  const auto other = make_authority("other authority");
  ASSERT_TRUE(authority && other);
  const auto seat = issue(*authority, "seat-7", CertificateUse::seat);
  ASSERT_TRUE(seat);
  EXPECT_TRUE(verify(seat->certificate, authority->certificate, CertificateUse::seat));
  EXPECT_THAT(verify(seat->certificate, authority->certificate, CertificateUse::gate).error(), HasSubstr("purpose"));
  EXPECT_FALSE(verify(seat->certificate, other->certificate, CertificateUse::seat));
}

TEST(Certificate, IsNoAuthorityItself) {
  const auto authority = make_authority("lab authority");
  const auto seat = issue(*authority, "seat-7", CertificateUse::seat);
  const auto forged = issue(*seat, "gate", CertificateUse::gate);
  ASSERT_TRUE(forged);
  EXPECT_FALSE(verify(forged->certificate, seat->certificate, CertificateUse::gate));
}

TEST(Certificate, IsNotValidOutsideItsDates) {
  const auto authority = make_authority("lab authority");
  const auto expired = issue(*authority, "old", CertificateUse::seat, {.from = hours(-48), .until = hours(-24)});
  EXPECT_EQ(verify(expired->certificate, authority->certificate, CertificateUse::seat).error(),
            "certificate has expired");
  const auto early = issue(*authority, "new", CertificateUse::seat, {.from = hours(24), .until = hours(48)});
  EXPECT_EQ(verify(early->certificate, authority->certificate, CertificateUse::seat).error(),
            "certificate is not yet valid");
}

TEST(Certificate, TellsItsNameFingerprintAndLastDay) {
  const auto authority = make_authority("lab authority");
  const auto seat = issue(*authority,
                          "S\xc3\xbc"
                          "dseite",
                          CertificateUse::seat, {.until = hours(24)});
  const auto facts = inspect(seat->certificate);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->common_name,
            "S\xc3\xbc"
            "dseite");
  EXPECT_THAT(facts->fingerprint, ::testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(facts->fingerprint.size(), 64U);
  EXPECT_NE(facts->fingerprint, inspect(authority->certificate)->fingerprint);
  const auto left = facts->not_after - std::chrono::system_clock::now();
  EXPECT_LE(left, hours(24));
  EXPECT_GT(left, hours(23));
}

TEST(Certificate, IsSignedForAKeyThatNeverLeavesItsOwner) {
  const auto authority = make_authority("lab authority");
  const auto key = make_key();
  const auto request = make_request(*key, "whoever I say I am");
  ASSERT_TRUE(request);
  const auto certificate = sign(*authority, *request, "seat-9", CertificateUse::seat);
  ASSERT_TRUE(certificate);
  EXPECT_EQ(inspect(*certificate)->common_name, "seat-9");
  EXPECT_TRUE(verify(*certificate, authority->certificate, CertificateUse::seat));
}

TEST(Certificate, ErrorsSayWhatIsWrong) {
  EXPECT_THAT(inspect("nonsense").error(), HasSubstr("not a certificate in PEM form"));
  EXPECT_THAT(sign({}, "", "x", CertificateUse::seat).error(), HasSubstr("the authority"));
  const auto authority = make_authority("lab authority");
  EXPECT_THAT(sign(*authority, "nonsense", "x", CertificateUse::seat).error(), HasSubstr("not a signing request"));
  EXPECT_THAT(issue(*authority, "", CertificateUse::seat).error(), HasSubstr("name"));
  EXPECT_FALSE(issue(*authority, std::string(65, 'x'), CertificateUse::seat));
}

}  // namespace
}  // namespace periplex::link

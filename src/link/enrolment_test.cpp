// SPDX-License-Identifier: Apache-2.0
#include "link/enrolment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "link/lane_connection.hpp"
#include "link/messages.hpp"
#include "link/testing/tls.hpp"

namespace periplex::link {
namespace {

using testing::Certificates;
using ::testing::HasSubstr;

Token token_of(const Credentials& authority) {
  return *Token::make(inspect(authority.certificate)->fingerprint);
}

TEST(Token, IsReadAsItWasWritten) {
  const Token token = token_of(Certificates::get().authority);
  const std::string text = token.text();
  EXPECT_EQ(text.size(), 56U + 6U) << text;
  EXPECT_EQ(Token::parse(text), token);
  std::string loud = text;
  for (char& character : loud) character = static_cast<char>(std::toupper(character));
  std::erase(loud, '-');
  EXPECT_EQ(Token::parse(loud), token);
  EXPECT_TRUE(token.names(inspect(Certificates::get().authority.certificate)->fingerprint));
  EXPECT_FALSE(token.names(inspect(Certificates::get().gate.certificate)->fingerprint));
}

TEST(Token, IsRefusedWhenMistyped) {
  const std::string text = token_of(Certificates::get().authority).text();
  EXPECT_FALSE(Token::parse(""));
  EXPECT_FALSE(Token::parse(text.substr(1)));
  EXPECT_FALSE(Token::parse(text + "a"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string mistyped = text;
    if (mistyped[i] == '-') continue;
    mistyped[i] = mistyped[i] == 'q' ? 'r' : 'q';
    EXPECT_FALSE(Token::parse(mistyped)) << i;
  }
}

TEST(Token, EachHasASecretOfItsOwn) {
  EXPECT_NE(token_of(Certificates::get().authority).secret, token_of(Certificates::get().authority).secret);
}

TEST(EnrolmentMessages, AreReadAsTheyWereWritten) {
  const EnrolmentRequest request{.secret = token_of(Certificates::get().authority).secret, .request = "please"};
  const auto read = EnrolmentRequest::parse(request.payload());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->secret, request.secret);
  EXPECT_EQ(read->request, "please");
  for (std::size_t size = 0; size < request.payload().size(); ++size) {
    EXPECT_FALSE(EnrolmentRequest::parse(ByteView(request.payload()).first(size)));
  }
  const EnrolmentGrant grant{.certificate = "c", .authority = "a", .name = "n"};
  EXPECT_EQ(EnrolmentGrant::parse(grant.payload())->name, "n");
  EXPECT_FALSE(EnrolmentGrant::parse(EnrolmentGrant{}.payload()));
}

/// A gate's connection that answers ENROL as the test says.
class Enrolling : public ::testing::Test, public LaneConnection::Owner, public TlsUser {
 protected:
  void dial(const Token& token, const Certificates& host = Certificates::get()) {
    auto settings = host.for_gate();
    settings.peer = TlsContext::Peer::may_be_unknown;
    settings.protocols = {kLinkProtocol, kEnrolmentProtocol};
    auto [at_gate, at_agent] = testing::connected_sockets();
    gate = std::make_unique<LaneConnection>(loop, std::move(at_gate), *TlsContext::make(settings), *this);
    client = EnrolmentClient::start(loop, std::move(at_agent), token, key, "me", [this](auto got) {
               result = std::move(got);
             }).value();
    EXPECT_TRUE(testing::run_until(loop, [this] { return result.has_value(); }));
  }

  void connection_established(LaneConnection& connection) override {
    protocol = connection.peer().protocol;
    connection.divert(*this);
  }
  void connection_closed(LaneConnection&, const std::string&) override {}
  void tls_established(const TlsPeer&) override {}
  void tls_received(ByteView bytes) override {
    FrameReader reader;
    reader.feed(bytes);
    const auto frame = reader.next();
    ASSERT_TRUE(frame && *frame);
    ASSERT_EQ((*frame)->header.type, FrameType::enrol);
    const auto asked = EnrolmentRequest::parse((*frame)->payload);
    ASSERT_TRUE(asked);
    secret = asked->secret;
    gate->detach(answer(*asked));
  }
  Bytes tls_output(std::size_t) override { return {}; }
  void tls_closed(const std::string&) override {}

  EventLoop loop;
  const std::string key = *make_key();
  std::string protocol;
  std::optional<std::array<std::byte, Token::kSecretBytes>> secret;
  std::optional<std::expected<Enrolled, std::string>> result;
  std::function<Bytes(const EnrolmentRequest&)> answer = [](const EnrolmentRequest& asked) {
    const Credentials& authority = Certificates::get().authority;
    const auto certificate = sign(authority, asked.request, "desk-7", CertificateUse::seat);
    return make_frame(FrameType::enrolled, {}, EnrolmentGrant{*certificate, authority.certificate, "desk-7"}.payload());
  };
  std::unique_ptr<LaneConnection> gate;
  std::unique_ptr<EnrolmentClient> client;
};

TEST_F(Enrolling, GivesACertificateForTheTokensSecret) {
  const Token token = token_of(Certificates::get().authority);
  dial(token);
  EXPECT_EQ(protocol, kEnrolmentProtocol);
  EXPECT_EQ(secret, token.secret);
  ASSERT_TRUE(result && *result) << result->error();
  EXPECT_EQ((*result)->name, "desk-7");
  EXPECT_EQ((*result)->credentials.key, key);
  EXPECT_EQ(inspect((*result)->credentials.certificate)->common_name, "desk-7");
}

TEST_F(Enrolling, TheSecretIsNotSaidToAnotherHost) {
  dial(token_of(*make_authority("another")));
  EXPECT_FALSE(secret);
  ASSERT_TRUE(result && !*result);
  EXPECT_THAT(result->error(), HasSubstr("not the host that made the token"));
}

TEST_F(Enrolling, TheSecretIsNotSaidToASeatOfTheSameHost) {
  Certificates host = Certificates::get();
  host.gate = host.seat;
  dial(token_of(host.authority), host);
  EXPECT_FALSE(secret);
  ASSERT_TRUE(result && !*result);
  EXPECT_THAT(result->error(), HasSubstr("no gate of the host"));
}

TEST_F(Enrolling, IsToldWhyItIsRefused) {
  answer = [](const EnrolmentRequest&) { return refusal(Reason::not_allowed, "the token has been used"); };
  dial(token_of(Certificates::get().authority));
  EXPECT_EQ(result->error(), "the host has refused: not allowed: the token has been used");
}

TEST_F(Enrolling, ACertificateForAnotherKeyIsOfNoUse) {
  answer = [](const EnrolmentRequest&) {
    const auto& all = Certificates::get();
    return make_frame(FrameType::enrolled, {},
                      EnrolmentGrant{all.seat.certificate, all.authority.certificate, "seat-1"}.payload());
  };
  dial(token_of(Certificates::get().authority));
  EXPECT_THAT(result->error(), HasSubstr("of no use"));
}

TEST_F(Enrolling, NonsenseIsNoAnswer) {
  answer = [](const EnrolmentRequest&) { return make_frame(FrameType::ping, {}, {}); };
  dial(token_of(Certificates::get().authority));
  EXPECT_THAT(result->error(), HasSubstr("no answer"));
}

}  // namespace
}  // namespace periplex::link

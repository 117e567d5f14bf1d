// SPDX-License-Identifier: Apache-2.0
#include "control/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace periplex::control::http {
namespace {

using ::testing::HasSubstr;

/// Offers `text` in pieces of `step` bytes, as a session does.
std::expected<Request, ParseError> parse(std::string_view text, std::size_t step = 1) {
  RequestParser parser;
  std::string buffer;
  while (!parser.done() && (!text.empty() || !buffer.empty())) {
    buffer += text.substr(0, step);
    const bool last = text.empty();
    text.remove_prefix(std::min(step, text.size()));
    const auto used = parser.put(as_bytes(buffer));
    if (!used) return std::unexpected(used.error());
    if (*used == 0 && last) break;
    buffer.erase(0, *used);
  }
  if (!parser.done()) return std::unexpected(ParseError{0, "incomplete"});
  return parser.take();
}

TEST(HttpRequest, IsTheSameInWhateverPiecesItComes) {
  const std::string text = "POST /v1/type?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  for (const std::size_t step : {1u, 2u, 7u, 1000u}) {
    const auto request = parse(text, step);
    ASSERT_TRUE(request) << step;
    EXPECT_EQ(request->method, "POST");
    EXPECT_EQ(request->path, "/v1/type");
    EXPECT_EQ(request->parameter("x"), "1");
    EXPECT_EQ(request->parameter("y"), "");
    EXPECT_EQ(request->body, "hello");
    EXPECT_TRUE(request->keep_alive);
  }
}

TEST(HttpRequest, AChunkedBodyIsPutTogether) {
  const auto request = parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->body, "abcde");
}

TEST(HttpRequest, PathAndQueryAreDecoded) {
  const auto request = parse("GET /a%20b/+c?q=x+y%26z HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "/a b/+c");
  EXPECT_EQ(request->parameter("q"), "x y&z");
  for (const char* bad : {"GET /%2 HTTP/1.1\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "GET /?a=%00 HTTP/1.1\r\n\r\n"}) {
    EXPECT_EQ(parse(bad).error().status, 400u) << bad;
  }
}

TEST(HttpRequest, KeepAliveIsWhatTheClientSays) {
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n")->keep_alive);
}

TEST(HttpRequest, WhatIsTooLongIsRefusedWithItsStatus) {
  const std::string header = "GET / HTTP/1.1\r\nX: " + std::string(10000, 'a') + "\r\n\r\n";
  EXPECT_EQ(parse(header, 1000).error().status, 431u);
  EXPECT_EQ(parse(header, 100000).error().status, 431u);
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n").error().status, 413u);
  const std::string chunks = "40000\r\n" + std::string(0x40000, 'a') + "\r\n1\r\na\r\n0\r\n\r\n";
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 4096).error().status, 413u);
}

TEST(HttpRequest, WhatIsNotHttpIsRefused) {
  for (const char* bad : {"hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nbroken\r\n\r\n",
                          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    EXPECT_EQ(parse(bad).error().status, 400u) << bad;
  }
}

TEST(HttpRequest, TheNextRequestStaysWithTheCaller) {
  RequestParser parser;
  const std::string_view two = "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
  const auto used = parser.put(as_bytes(two));
  ASSERT_TRUE(used);
  EXPECT_EQ(*used, two.size() / 2);
  EXPECT_EQ(parser.take()->path, "/a");
  EXPECT_FALSE(parser.started());
  ASSERT_TRUE(parser.put(as_bytes(two.substr(*used))));
  EXPECT_EQ(parser.take()->path, "/b");
}

TEST(HttpResponse, ComesBackAsItWasSent) {
  const std::string text = serialize({.status = 405, .body = "{\"a\":1}", .allow = "GET", .keep_alive = false});
  EXPECT_THAT(text, HasSubstr("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(text, HasSubstr("Allow: GET\r\n"));
  ResponseParser parser;
  for (const char c : text) ASSERT_TRUE(parser.put(as_bytes(std::string_view(&c, 1))));
  ASSERT_TRUE(parser.done());
  const Response response = parser.take();
  EXPECT_EQ(response.status, 405u);
  EXPECT_EQ(response.body, "{\"a\":1}");
  EXPECT_FALSE(response.keep_alive);
}

TEST(HttpRequest, OfAClientIsUnderstood) {
  const auto request = parse(serialize_request("POST", "/v1/x/" + encode("a b/c"), "{}"), 3);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "/v1/x/a b/c");
  EXPECT_EQ(request->body, "{}");
  EXPECT_TRUE(parse(serialize_request("GET", "/", "")));
}

}  // namespace
}  // namespace periplex::control::http

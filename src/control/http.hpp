// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

/// HTTP/1.1 (RFC 9112) as bytes in and values out, without a socket.
namespace periplex::control::http {

inline constexpr std::uint32_t kMaxHeaderSize = 8 * 1024;
inline constexpr std::uint64_t kMaxBodySize = 256 * 1024;

struct Parameter {
  std::string name;
  std::string value;
};

struct Request {
  std::string method;
  std::string path;                   ///< percent-decoded, without the query
  std::vector<Parameter> parameters;  ///< of the query, decoded
  std::string body;
  bool keep_alive = true;

  /// The value of query parameter `name`; empty if it is absent.
  [[nodiscard]] std::string_view parameter(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  std::string body;
  std::string allow;  ///< methods, for status 405
  bool keep_alive = true;
  std::string content_type = "application/json";
};

/// What a request was refused for before anybody saw it: the status to answer with, after which the connection ends.
struct ParseError {
  unsigned status = 400;
  std::string text;
};

/// Reads requests from a stream of bytes. Nothing it holds grows past the limits above.
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  /// Takes bytes of the current request; returns how many. What follows it stays with the caller.
  [[nodiscard]] std::expected<std::size_t, ParseError> put(ByteView bytes);
  [[nodiscard]] bool done() const;
  /// Whether some of a request has been read.
  [[nodiscard]] bool started() const;
  /// The request, once `done`; the parser is ready for the next one.
  [[nodiscard]] std::expected<Request, ParseError> take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads one response, for clients.
class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();

  [[nodiscard]] std::expected<std::size_t, ParseError> put(ByteView bytes);
  [[nodiscard]] bool done() const;
  [[nodiscard]] Response take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string serialize(const Response& response);
/// For clients: `target` is the path with its query, already encoded.
[[nodiscard]] std::string serialize_request(std::string_view method, std::string_view target, std::string_view body);

/// Percent-decoding (RFC 3986 §2.1); in a query, '+' is a space. Fails on a broken escape or a NUL.
[[nodiscard]] std::expected<std::string, ParseError> decode(std::string_view text, bool query);
/// Percent-encodes everything but unreserved characters.
[[nodiscard]] std::string encode(std::string_view text);

}  // namespace periplex::control::http

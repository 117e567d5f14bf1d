// SPDX-License-Identifier: Apache-2.0
// The only file that sees Boost.Beast: it is slow to compile.
#include "control/http.hpp"

#include <boost/beast/http.hpp>
#include <sstream>

namespace periplex::control::http {
namespace {

namespace beast = boost::beast;

constexpr unsigned kVersion11 = 11;
constexpr std::uint64_t kMaxResponseSize = 16 * 1024 * 1024;

ParseError describe(const beast::error_code& error) {
  if (error == beast::http::error::header_limit) return {431, "the header is longer than 8 KiB"};
  if (error == beast::http::error::body_limit) return {413, "the body is longer than 256 KiB"};
  return {400, "this is not HTTP/1.1: " + error.message()};
}

/// Feeds `parser`; the same for requests and responses.
template <typename Parser>
std::expected<std::size_t, ParseError> feed(Parser& parser, ByteView bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !parser.is_done()) {
    beast::error_code error;
    const std::size_t taken = parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += taken;
    if (error == beast::http::error::need_more) break;
    if (error) return std::unexpected(describe(error));
    if (taken == 0) break;
  }
  return used;
}

template <typename Message>
std::string to_text(const Message& message) {
  std::ostringstream out;
  out << message;
  return std::move(out).str();
}

std::expected<std::vector<Parameter>, ParseError> parse_query(std::string_view query) {
  std::vector<Parameter> parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals), true);
    auto value = decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view(), true);
    if (!name) return std::unexpected(name.error());
    if (!value) return std::unexpected(value.error());
    parameters.push_back({std::move(*name), std::move(*value)});
  }
  return parameters;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view Request::parameter(std::string_view name) const {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return parameter.value;
  }
  return {};
}

struct RequestParser::State {
  beast::http::request_parser<beast::http::string_body> parser;
  /// Beast wants a header whole, and takes nothing before it is: until then its bytes are kept here.
  std::string header;
  bool started = false;

  State() {
    parser.eager(true);
    parser.header_limit(kMaxHeaderSize);
    parser.body_limit(kMaxBodySize);
  }
};

RequestParser::RequestParser() : state_(std::make_unique<State>()) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::expected<std::size_t, ParseError> RequestParser::put(ByteView bytes) {
  State& state = *state_;
  state.started = state.started || !bytes.empty();
  if (state.parser.is_header_done()) return feed(state.parser, bytes);
  const std::size_t before = state.header.size();
  state.header.append(as_text(bytes.first(std::min<std::size_t>(bytes.size(), kMaxHeaderSize + 1 - before))));
  const std::size_t appended = state.header.size() - before;
  auto used = feed(state.parser, as_bytes(state.header));
  if (!used) return used;
  if (!state.parser.is_header_done()) {
    if (state.header.size() - *used > kMaxHeaderSize)
      return std::unexpected(ParseError{431, "the header is longer than 8 KiB"});
    state.header.erase(0, *used);
    return appended;
  }
  // The rest belongs to the body or to the next request: the caller offers it again.
  const std::size_t rest = state.header.size() - *used;
  state.header.clear();
  return appended - rest;
}

bool RequestParser::done() const {
  return state_->parser.is_done();
}
bool RequestParser::started() const {
  return state_->started;
}

std::expected<Request, ParseError> RequestParser::take() {
  auto message = state_->parser.release();
  state_ = std::make_unique<State>();
  const std::string_view target(message.target().data(), message.target().size());
  const std::size_t question = std::min(target.find('?'), target.size());
  auto path = decode(target.substr(0, question), false);
  if (!path) return std::unexpected(path.error());
  auto parameters = parse_query(question < target.size() ? target.substr(question + 1) : std::string_view());
  if (!parameters) return std::unexpected(parameters.error());
  return Request{.method = std::string(message.method_string()),
                 .path = std::move(*path),
                 .parameters = std::move(*parameters),
                 .body = std::move(message.body()),
                 .keep_alive = message.keep_alive()};
}

struct ResponseParser::State {
  beast::http::response_parser<beast::http::string_body> parser;
  std::string pending;  // what Beast has not taken yet, for want of a whole header
};

ResponseParser::ResponseParser() : state_(std::make_unique<State>()) {
  state_->parser.eager(true);
  state_->parser.body_limit(kMaxResponseSize);
}
ResponseParser::~ResponseParser() = default;

std::expected<std::size_t, ParseError> ResponseParser::put(ByteView bytes) {
  state_->pending.append(as_text(bytes));
  auto used = feed(state_->parser, as_bytes(state_->pending));
  if (!used) return used;
  state_->pending.erase(0, *used);
  return bytes.size();
}

bool ResponseParser::done() const {
  return state_->parser.is_done();
}

Response ResponseParser::take() {
  auto message = state_->parser.release();
  return {.status = message.result_int(),
          .body = std::move(message.body()),
          .allow = {},
          .keep_alive = message.keep_alive(),
          .content_type = std::string(message[beast::http::field::content_type])};
}

std::string serialize(const Response& response) {
  beast::http::response<beast::http::string_body> message;
  message.version(kVersion11);
  message.result(response.status);
  message.set(beast::http::field::content_type, response.content_type);
  message.set(beast::http::field::cache_control, "no-store");
  if (!response.allow.empty()) message.set(beast::http::field::allow, response.allow);
  message.keep_alive(response.keep_alive);
  message.body() = response.body;
  message.prepare_payload();
  return to_text(message);
}

std::string serialize_request(std::string_view method, std::string_view target, std::string_view body) {
  beast::http::request<beast::http::string_body> message;
  message.version(kVersion11);
  message.method_string({method.data(), method.size()});
  message.target({target.data(), target.size()});
  message.set(beast::http::field::host, "periplex");
  if (!body.empty()) message.set(beast::http::field::content_type, "application/json");
  message.body() = body;
  message.prepare_payload();
  return to_text(message);
}

std::expected<std::string, ParseError> decode(std::string_view text, bool query) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return std::unexpected(ParseError{400, "a % in the address is not followed by two digits"});
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (query && c == '+') {
      c = ' ';
    }
    if (c == '\0') return std::unexpected(ParseError{400, "the address has a NUL in it"});
    decoded += c;
  }
  return decoded;
}

std::string encode(std::string_view text) {
  constexpr std::string_view kUnreserved = "-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if ((value < 0x80 && std::isalnum(value) != 0) || kUnreserved.contains(c)) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[value >> 4];
      encoded += kDigits[value & 0xf];
    }
  }
  return encoded;
}

}  // namespace periplex::control::http

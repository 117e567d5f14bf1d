// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/join.hpp"

#include <optional>
#include <utility>

#include "apps/periplex-seat/pairing.hpp"
#include "apps/tcp.hpp"
#include "link/enrolment.hpp"

namespace periplex::apps {
namespace {

std::unexpected<OpenError> wrong(std::string text, std::string advice) {
  return std::unexpected(OpenError{std::move(text), std::move(advice)});
}

constexpr const char* kDirectoryAdvice = "choose another directory with --state";
constexpr const char* kTokenAdvice =
    "a token is good once, and for as long as the host said: print another one there (periplexd invite)";

}  // namespace

std::expected<std::string, OpenError> join(const JoinRequest& request) {
  const auto endpoint = parse_endpoint(request.gate, link::kDefaultPort);
  if (!endpoint) return wrong(request.gate + " is no host", "write --gate HOST, or HOST:PORT");
  auto key = own_key(request.directory);
  if (!key) return wrong(std::move(key.error()), kDirectoryAdvice);
  auto socket = connect_tcp(*endpoint);
  if (!socket) return wrong(std::move(socket.error().text), "is that the host's address, and does its gate run?");

  EventLoop loop;
  std::optional<std::expected<link::Enrolled, std::string>> result;
  const auto client = link::EnrolmentClient::start(loop, std::move(*socket), request.token, std::move(*key),
                                                   request.name, [&](auto answer) {
                                                     result = std::move(answer);
                                                     loop.stop();
                                                   });
  if (!client) return wrong(client.error(), "see whether the key in the state directory is in order");
  if (!result) loop.run();
  if (!*result) return wrong("not paired: " + result->error(), kTokenAdvice);
  link::Enrolled& enrolled = **result;
  const Pairing pairing{.own = std::move(enrolled.credentials),
                        .authority = std::move(enrolled.authority),
                        .gate = request.gate,
                        .name = std::move(enrolled.name)};
  if (auto kept = keep_pairing(request.directory, pairing); !kept) return wrong(kept.error(), kDirectoryAdvice);
  return pairing.name;
}

}  // namespace periplex::apps

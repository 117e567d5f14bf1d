// SPDX-License-Identifier: Apache-2.0
#include "control/router.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "control/json.hpp"
#include "control/routes.hpp"

namespace periplex::control {
namespace {

std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);  // the slash
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

/// What stands for "{id}" in `path` if that has the form of `pattern`; empty text where the pattern has no "{id}".
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  std::string_view id;
  while (pattern.starts_with('/') && path.starts_with('/')) {
    const std::string_view expected = next_segment(pattern);
    const std::string_view segment = next_segment(path);
    if (expected == "{id}" && !segment.empty()) {
      id = segment;
    } else if (expected != segment) {
      return std::nullopt;
    }
  }
  return pattern.empty() && path.empty() ? std::optional(id) : std::nullopt;
}

unsigned status_of(machine::Reason reason) {
  switch (reason) {
    case machine::Reason::invalid:
      return 400;
    case machine::Reason::not_found:
      return 404;
    case machine::Reason::conflict:
      return 409;
    case machine::Reason::busy:
      return 429;
    case machine::Reason::failed:
      return 500;
  }
  return 500;
}

http::Response refusal(unsigned status, std::string_view text, std::string_view advice) {
  return {.status = status, .body = error_json(text, advice), .allow = {}};
}

}  // namespace

http::Response Router::answer(const http::Request& request, std::vector<UniqueFd> files) {
  std::string allow;
  for (const Route& route : routes()) {
    const auto id = match(route.path, request.path);
    if (!id) continue;
    if (route.method != request.method) {
      allow += fmt::format("{}{}", allow.empty() ? "" : ", ", route.method);
      continue;
    }
    Call call{machine_, request, *id, files};
    auto answer = route.handler(call);
    if (answer) return std::move(*answer);
    const machine::Refusal& error = answer.error();
    return refusal(status_of(error.reason), error.text, error.advice);
  }
  if (allow.empty()) {
    return refusal(404, fmt::format("there is nothing at \"{}\"", request.path),
                   "see `periplex --help`, or the guide to the control API");
  }
  http::Response response =
      refusal(405, fmt::format("\"{}\" does not take {}", request.path, request.method), fmt::format("use {}", allow));
  response.allow = std::move(allow);
  return response;
}

}  // namespace periplex::control

// SPDX-License-Identifier: Apache-2.0
#include "link/random.hpp"

#include <sys/random.h>

#include "base/check.hpp"

namespace periplex::link {
namespace {

void fill(void* bytes, std::size_t size) {
  // Up to 256 bytes come at once or not at all (random(7)).
  PERIPLEX_CHECK(::getrandom(bytes, size, 0) == static_cast<ssize_t>(size));
}

}  // namespace

Secret random_secret() {
  Secret secret{};
  fill(secret.data(), secret.size());
  return secret;
}

SessionId random_session_id() {
  SessionId id;
  while (id.value == 0) fill(&id.value, sizeof id.value);
  return id;
}

}  // namespace periplex::link

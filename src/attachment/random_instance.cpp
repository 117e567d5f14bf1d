// SPDX-License-Identifier: Apache-2.0
#include "attachment/random_instance.hpp"

#include <sys/random.h>

#include "base/check.hpp"

namespace periplex::attachment {

InstanceId random_instance() {
  InstanceId id{};
  // So few bytes come at once or not at all (random(7)).
  PERIPLEX_CHECK(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  return id;
}

}  // namespace periplex::attachment

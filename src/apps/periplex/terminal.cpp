// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/terminal.hpp"

#include <cstdio>

#include "control/json.hpp"

namespace periplex::apps {

int show(const Result& result, bool json) {
  constexpr int kFailed = 1;
  if (!result) {
    const Failure& failure = result.error();
    if (json) {
      std::fprintf(stderr, "%s\n", control::error_json(failure.text, failure.advice).c_str());
    } else {
      std::fprintf(stderr, "periplex: %s\n%s\n", failure.text.c_str(), failure.advice.c_str());
    }
    return kFailed;
  }
  const std::string& text = json ? result->json : result->text;
  if (!text.empty()) std::printf("%s\n", text.c_str());
  return result->status;
}

}  // namespace periplex::apps

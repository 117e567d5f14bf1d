// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <variant>

#include "apps/periplex/commands.hpp"
#include "apps/periplex/invocation.hpp"
#include "apps/periplex/terminal.hpp"

int main(int argc, char** argv) {
  using namespace periplex::apps;
  try {
    const auto invocation = parse_invocation(argc, argv);
    if (!invocation) {
      std::fputs(invocation.error().text.c_str(), invocation.error().status == 0 ? stdout : stderr);
      return invocation.error().status;
    }
    Commands commands(*invocation);
    return show(std::visit(commands, invocation->command), invocation->json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "periplex: %s\n", error.what());
    return 1;
  }
}

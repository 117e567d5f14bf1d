// SPDX-License-Identifier: Apache-2.0
// The lines between the gate and its parent, in both directions: what is understood is written as it was read.
#include <cstdint>
#include <cstdlib>

#include "gate/documents.hpp"
#include "gate/lines.hpp"

namespace {

using namespace periplex;
using namespace periplex::gate;

void check(bool condition) {
  if (!condition) std::abort();
}

void try_line(std::string_view line) {
  if (const auto instruction = parse_instruction(line)) {
    const std::string written = std::visit([](const auto& one) { return to_line(one); }, *instruction);
    check(parse_instruction(written).has_value());
    if (const auto* configuration = std::get_if<Configuration>(&*instruction)) {
      (void)configuration->machine_for(line.substr(0, 64), line.substr(0, 64));
    }
  }
  if (const auto report = parse_report(line)) {
    const std::string written = std::visit([](const auto& one) { return to_line(one); }, *report);
    check(parse_report(written).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  LineReader lines;
  (void)lines.feed(ByteView(reinterpret_cast<const std::byte*>(data), size), try_line);
  return 0;
}

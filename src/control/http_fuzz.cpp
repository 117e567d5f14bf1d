// SPDX-License-Identifier: Apache-2.0
// Bytes of a client, in pieces, through the HTTP parser and the router to a machine that does nothing.
#include <cstdint>

#include "control/http.hpp"
#include "control/router.hpp"
#include "machine/testing/fake_operations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex;
  if (size == 0) return 0;
  const std::size_t step = std::size_t{data[0]} + 1;
  ByteView input = std::as_bytes(std::span(data + 1, size - 1));
  machine::testing::FakeOperations fake;
  control::Router router(fake);
  control::http::RequestParser parser;
  std::size_t offered = std::min(step, input.size());
  while (!input.empty()) {
    const auto used = parser.put(input.first(offered));
    if (!used) break;
    input = input.subspan(*used);
    offered -= *used;
    if (parser.done()) {
      const auto request = parser.take();
      if (!request) break;
      const control::http::Response response = router.answer(*request, {});
      (void)control::http::serialize(response);
    } else if (*used == 0 && offered == input.size()) {
      break;
    } else {
      offered = std::min(offered + step, input.size());
    }
    if (offered == 0) offered = std::min(step, input.size());
  }
  return 0;
}

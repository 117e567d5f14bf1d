// SPDX-License-Identifier: Apache-2.0
// What comes before there is trust: ENROL, ENROLLED, and a token that a person has typed. The first byte chooses.
#include <cstdlib>

#include "link/enrolment.hpp"

namespace {

using namespace periplex;
using namespace periplex::link;

void check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    if (const auto request = EnrolmentRequest::parse(bytes)) {
      const auto again = EnrolmentRequest::parse(request->payload());
      check(again && again->secret == request->secret && again->request == request->request);
    }
  } else if (data[0] % 3 == 1) {
    if (const auto grant = EnrolmentGrant::parse(bytes)) {
      const auto again = EnrolmentGrant::parse(grant->payload());
      check(again && again->certificate == grant->certificate && again->authority == grant->authority);
    }
  } else if (const auto token = Token::parse(as_text(bytes))) {
    check(Token::parse(token->text()) == token);
  }
  return 0;
}

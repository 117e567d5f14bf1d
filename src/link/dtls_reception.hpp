// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "link/dtls_association.hpp"
#include "link/tls_context.hpp"

struct ssl_st;

namespace periplex::link {

/// The gate's first look at datagrams from addresses that it does not know: whether whoever sends them can be reached
/// there (RFC 6347 §4.2.1).
///
/// It answers a ClientHello without a cookie with a HelloVerifyRequest, which is shorter, and keeps nothing. The cookie
/// is a MAC of the address and of the half minute that it was made in, with a key of this reception; it is good in that
/// half minute and the next one.
class DtlsReception {
 public:
  static constexpr Nanoseconds kCookieTime = std::chrono::seconds(30);

  DtlsReception(const Clock& clock, TlsContext context);
  DtlsReception(const DtlsReception&) = delete;
  DtlsReception& operator=(const DtlsReception&) = delete;
  ~DtlsReception();

  struct Verdict {
    std::optional<Bytes> answer;  ///< goes back to that address
    DtlsEndPtr accepted;          ///< or: an association begins
  };
  /// Looks at a datagram. `address` is whatever tells one sender from another.
  [[nodiscard]] Verdict receive(ByteView datagram, ByteView address);

 private:
  using Mac = std::array<unsigned char, 32>;
  static int make_cookie(ssl_st* ssl, unsigned char* cookie, unsigned* size);
  static int check_cookie(ssl_st* ssl, const unsigned char* cookie, unsigned size);
  [[nodiscard]] std::optional<Mac> mac(std::int64_t period) const;
  [[nodiscard]] std::int64_t period() const { return clock_.now() / kCookieTime; }

  const Clock& clock_;
  const TlsContext context_;
  std::array<unsigned char, 32> key_{};
  Bytes address_;  // of who is being looked at
  DtlsEndPtr next_;
};

}  // namespace periplex::link

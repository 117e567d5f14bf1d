// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace periplex::link {

/// What a person carries from a host to a seat, once, so that the two know each other: proof that the seat may come,
/// and by what the seat recognises the host (docs/protocol.md, "Enrolment").
///
/// As a text it is 56 characters of base32 (RFC 4648) in groups of eight. Case and dashes do not matter, and a mistyped
/// one is noticed.
struct Token {
  static constexpr std::size_t kSecretBytes = 16;
  static constexpr std::size_t kAuthorityBytes = 16;

  std::array<std::byte, kSecretBytes> secret{};
  std::array<std::byte, kAuthorityBytes> authority{};  ///< the first bytes of SHA-256 of its certificate in DER form

  /// A new secret, from the kernel's random numbers; `fingerprint` is the authority's, as `inspect` tells it.
  [[nodiscard]] static std::optional<Token> make(std::string_view fingerprint);
  [[nodiscard]] static std::optional<Token> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  /// Whether `fingerprint` is that of the authority.
  [[nodiscard]] bool names(std::string_view fingerprint) const;

  bool operator==(const Token&) const = default;
};

/// Of a token's secret: who keeps this cannot use the token. 64 hexadecimal digits of SHA-256.
[[nodiscard]] std::string digest_of(const std::array<std::byte, Token::kSecretBytes>& secret);

}  // namespace periplex::link

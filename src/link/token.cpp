// SPDX-License-Identifier: Apache-2.0
#include "link/token.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <openssl/sha.h>

#include "base/bytes.hpp"
#include "link/random.hpp"

namespace periplex::link {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::byte kVersion1{1};
constexpr std::size_t kCheckBytes = 2;
constexpr std::size_t kBytes = 1 + Token::kSecretBytes + Token::kAuthorityBytes + kCheckBytes;
constexpr std::size_t kDigits = kBytes * 8 / 5;
constexpr std::size_t kGroup = 8;
static_assert(kBytes * 8 % 5 == 0);

std::array<std::byte, SHA256_DIGEST_LENGTH> sha256(ByteView bytes) {
  std::array<std::byte, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string in_hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

/// The value of each digit; nothing for a text that has other characters, or not as many digits as a token.
std::optional<std::array<std::uint8_t, kDigits>> digits_of(std::string_view text) {
  std::array<std::uint8_t, kDigits> digits{};
  std::size_t count = 0;
  for (const char character : text) {
    if (character == '-') continue;
    const char lower = character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
    const std::size_t value = kAlphabet.find(lower);
    if (value == std::string_view::npos || count == kDigits) return std::nullopt;
    digits[count++] = static_cast<std::uint8_t>(value);
  }
  if (count != kDigits) return std::nullopt;
  return digits;
}

}  // namespace

std::string digest_of(const std::array<std::byte, Token::kSecretBytes>& secret) {
  return in_hex(sha256(secret));
}

std::optional<Token> Token::make(std::string_view fingerprint) {
  Token token;
  if (fingerprint.size() != 2 * std::size_t{SHA256_DIGEST_LENGTH}) return std::nullopt;
  for (std::size_t i = 0; i < token.authority.size(); ++i) {
    unsigned value = 0;
    const char* const first = fingerprint.data() + 2 * i;
    if (std::from_chars(first, first + 2, value, 16).ptr != first + 2) return std::nullopt;
    token.authority[i] = std::byte(value);
  }
  const Secret random = random_secret();
  std::copy_n(random.begin(), token.secret.size(), token.secret.begin());
  return token;
}

bool Token::names(std::string_view fingerprint) const {
  return fingerprint.size() == 2 * std::size_t{SHA256_DIGEST_LENGTH} && fingerprint.starts_with(in_hex(authority));
}

std::string Token::text() const {
  ByteWriter writer;
  writer.u8(std::to_integer<std::uint8_t>(kVersion1)).bytes(secret).bytes(authority);
  const auto check = sha256(writer.view());
  writer.bytes(ByteView(check).first(kCheckBytes));
  std::string text;
  unsigned bits = 0;
  unsigned held = 0;
  std::size_t digits = 0;
  for (const std::byte byte : writer.view()) {
    bits = bits << 8 | std::to_integer<unsigned>(byte);
    for (held += 8; held >= 5; ++digits) {
      if (digits > 0 && digits % kGroup == 0) text += '-';
      held -= 5;
      text += kAlphabet[bits >> held & 0x1f];
    }
    bits &= (1U << held) - 1;
  }
  return text;
}

std::optional<Token> Token::parse(std::string_view text) {
  const auto digits = digits_of(text);
  if (!digits) return std::nullopt;
  ByteWriter writer;
  unsigned bits = 0;
  unsigned held = 0;
  for (const std::uint8_t digit : *digits) {
    bits = bits << 5 | digit;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    writer.u8(static_cast<std::uint8_t>(bits >> held));
    bits &= (1U << held) - 1;
  }
  const ByteView bytes = writer.view();
  const auto check = sha256(bytes.first(kBytes - kCheckBytes));
  if (bytes[0] != kVersion1 || !std::ranges::equal(bytes.last(kCheckBytes), ByteView(check).first(kCheckBytes))) {
    return std::nullopt;
  }
  Token token;
  std::ranges::copy(bytes.subspan(1, kSecretBytes), token.secret.begin());
  std::ranges::copy(bytes.subspan(1 + kSecretBytes, kAuthorityBytes), token.authority.begin());
  return token;
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

/// A small certificate authority of one's own: keys (ECDSA on P-256) and certificates (X.509 v3, RFC 5280) in PEM form.
///
/// Seats and gates trust this authority and nothing else. What a certificate may be used for is in it: a seat's cannot
/// pass for a gate's. Errors are texts for people.
namespace periplex::link {

/// A private key with its certificate.
struct Credentials {
  std::string certificate;
  std::string key;
};

enum class CertificateUse : std::uint8_t { gate, seat };

struct Validity {
  std::chrono::seconds from{-3600};  ///< relative to now; clocks differ
  std::chrono::seconds until = std::chrono::hours(24 * 3650);
};

[[nodiscard]] std::expected<Credentials, std::string> make_authority(const std::string& name, Validity validity = {});

/// A new private key.
[[nodiscard]] std::expected<std::string, std::string> make_key();
/// A signing request (RFC 2986) for `key`, so that the key never leaves who made it.
[[nodiscard]] std::expected<std::string, std::string> make_request(const std::string& key, const std::string& name);
/// The certificate for a request, which proves that its sender has the key. `name` becomes the certificate's; the one
/// in the request is not looked at.
[[nodiscard]] std::expected<std::string, std::string> sign(const Credentials& authority, const std::string& request,
                                                           const std::string& name, CertificateUse use,
                                                           Validity validity = {});
/// A new key and its certificate.
[[nodiscard]] std::expected<Credentials, std::string> issue(const Credentials& authority, const std::string& name,
                                                            CertificateUse use, Validity validity = {});

struct CertificateFacts {
  std::string common_name;
  std::string fingerprint;  ///< SHA-256 of its DER form, 64 hexadecimal digits
  std::chrono::system_clock::time_point not_after;
};
[[nodiscard]] std::expected<CertificateFacts, std::string> inspect(const std::string& certificate);

/// Whether `authority` has signed `certificate`, for `use`, and it is valid now; if not, why not.
[[nodiscard]] std::expected<void, std::string> verify(const std::string& certificate, const std::string& authority,
                                                      CertificateUse use);

}  // namespace periplex::link

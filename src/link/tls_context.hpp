// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "link/certificate.hpp"

struct ssl_ctx_st;

namespace periplex::link {

/// What is spoken inside TLS, as the ends agree on by ALPN (RFC 7301). Who names nothing speaks the link protocol.
inline constexpr std::string_view kLinkProtocol = "periplex-link/1";
inline constexpr std::string_view kEnrolmentProtocol = "periplex-enrol/1";
/// Of DTLS associations, which must name it.
inline constexpr std::string_view kDatagramProtocol = "periplex-datagrams/1";

/// What one end's TLS connections have in common: TLS 1.3 (RFC 8446) and nothing older, its own credentials, and the
/// one authority it trusts; or its DTLS associations, which are DTLS 1.2 (RFC 6347) and nothing older, with ciphers
/// that authenticate what they encrypt and keys of their own for each (ECDHE). There are no session tickets and no
/// early data: a connection that is resumed is greeted anew.
class TlsContext {
 public:
  enum class Role : std::uint8_t { gate, agent };
  enum class Transport : std::uint8_t { stream, datagrams };
  enum class Peer : std::uint8_t {
    certified,       ///< has a certificate of our authority, made for its role
    may_be_unknown,  ///< gate: may have none at all, as an agent before it is paired; one that it has must be right
    anybody,         ///< agent: before it is paired. Who it is must be checked by its fingerprint
  };
  struct Settings {
    Role role = Role::agent;
    Credentials own{};        ///< an agent that is not paired has none
    std::string authority{};  ///< certificate in PEM form; not needed where the peer is `anybody`
    Peer peer = Peer::certified;
    Transport transport = Transport::stream;
    /// ChaCha20-Poly1305 before AES-GCM; by default where this processor has no instructions for AES.
    std::optional<bool> prefer_chacha{};
    /// What is spoken inside, the first the best. A gate refuses who names others only; empty: ALPN is not used.
    std::vector<std::string_view> protocols{};
  };

  [[nodiscard]] static std::expected<TlsContext, std::string> make(const Settings& settings);

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] ssl_ctx_st* get() const { return context_.get(); }
  /// For a connection, which keeps all that its context needs: OpenSSL's own count knows the context only.
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> share() const { return context_; }

 private:
  TlsContext(Role role, std::shared_ptr<ssl_ctx_st> context) : role_(role), context_(std::move(context)) {}

  Role role_;
  std::shared_ptr<ssl_ctx_st> context_;
};

/// Reads what the library wants of files before it is used first; afterwards it opens none.
void prepare_tls();

/// Whether this processor encrypts AES with instructions of its own.
[[nodiscard]] bool processor_has_aes();

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#include "link/tls_context.hpp"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <array>
#include <openssl/rand.h>

#include "link/openssl.hpp"

namespace periplex::link {
namespace {

using openssl::error;

constexpr const char* kAesFirst = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr const char* kChachaFirst = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";

// The same for DTLS 1.2. Certificates of ours are ECDSA's.
constexpr const char* kDatagramsAesFirst =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384";
constexpr const char* kDatagramsChachaFirst =
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";

int accept_any(int, X509_STORE_CTX*) {
  return 1;
}

std::expected<void, std::string> use_own(SSL_CTX& context, const Credentials& own) {
  const auto certificate = openssl::read_certificate(own.certificate);
  if (!certificate) return std::unexpected("our certificate: " + certificate.error());
  const auto key = openssl::read_key(own.key);
  if (!key) return std::unexpected("our key: " + key.error());
  if (SSL_CTX_use_certificate(&context, certificate->get()) != 1) {
    return std::unexpected(error("our certificate cannot be used"));
  }
  if (SSL_CTX_use_PrivateKey(&context, key->get()) != 1 || SSL_CTX_check_private_key(&context) != 1) {
    return std::unexpected(error("our key does not belong to our certificate"));
  }
  return {};
}

std::expected<void, std::string> trust(SSL_CTX& context, const TlsContext::Settings& settings) {
  if (settings.peer == TlsContext::Peer::anybody) {
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, accept_any);
    return {};
  }
  const auto authority = openssl::read_certificate(settings.authority);
  if (!authority) return std::unexpected("the authority: " + authority.error());
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), authority->get()) != 1) {
    return std::unexpected(error("the authority cannot be used"));
  }
  const bool required = settings.peer == TlsContext::Peer::certified;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return {};
}

/// As RFC 7301 §3.1 writes a list.
std::string wire_list(const std::vector<std::string_view>& protocols) {
  std::string list;
  for (const std::string_view protocol : protocols) {
    list += static_cast<char>(protocol.size());
    list += protocol;
  }
  return list;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned int size, void* own) {
  const auto& list = *static_cast<const std::string*>(own);
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, length, reinterpret_cast<const unsigned char*>(list.data()),
                                           static_cast<unsigned>(list.size()), offered, size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// `list` must live as long as the context.
std::expected<void, std::string> name_protocols(SSL_CTX& context, bool gate, std::string& list) {
  if (list.empty()) return {};
  if (gate) {
    SSL_CTX_set_alpn_select_cb(&context, choose_protocol, &list);
    return {};
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(list.data());
  if (SSL_CTX_set_alpn_protos(&context, bytes, static_cast<unsigned>(list.size())) != 0) {
    return std::unexpected(error("ALPN cannot be used"));
  }
  return {};
}

/// A gate shows its authority, too: an agent that is not paired yet knows only that one's fingerprint.
std::expected<void, std::string> show_authority(SSL_CTX& context, const std::string& pem) {
  const auto authority = openssl::read_certificate(pem);
  if (!authority) return std::unexpected("the authority: " + authority.error());
  if (SSL_CTX_add1_chain_cert(&context, authority->get()) == 1) return {};
  return std::unexpected(error("the authority cannot be shown"));
}

const SSL_METHOD* method_of(const TlsContext::Settings& settings) {
  const bool gate = settings.role == TlsContext::Role::gate;
  if (settings.transport == TlsContext::Transport::datagrams) return gate ? DTLS_server_method() : DTLS_client_method();
  return gate ? TLS_server_method() : TLS_client_method();
}

std::expected<void, std::string> choose_version(SSL_CTX& context, const TlsContext::Settings& settings) {
  const bool chacha = settings.prefer_chacha.value_or(!processor_has_aes());
  if (settings.transport == TlsContext::Transport::datagrams) {
    SSL_CTX_set_options(&context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU);
    if (SSL_CTX_set_min_proto_version(&context, DTLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(&context, chacha ? kDatagramsChachaFirst : kDatagramsAesFirst) == 1) {
      return {};
    }
    return std::unexpected(error("DTLS 1.2 cannot be used"));
  }
  if (SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_ciphersuites(&context, chacha ? kChachaFirst : kAesFirst) == 1) {
    return {};
  }
  return std::unexpected(error("TLS 1.3 cannot be used"));
}

}  // namespace

void prepare_tls() {
  (void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
  // The generator takes its first seed.
  std::array<unsigned char, 1> byte{};
  (void)RAND_bytes(byte.data(), byte.size());
  (void)RAND_priv_bytes(byte.data(), byte.size());
}

bool processor_has_aes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

std::expected<TlsContext, std::string> TlsContext::make(const Settings& settings) {
  const bool gate = settings.role == Role::gate;
  if (gate && settings.peer == Peer::anybody) return std::unexpected("a gate does not take anybody");
  const auto protocols = std::make_shared<std::string>(wire_list(settings.protocols));
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method_of(settings)),
                                         [protocols](SSL_CTX* made) { SSL_CTX_free(made); });
  if (!context) return std::unexpected(error("TLS cannot be used"));
  if (auto chosen = choose_version(*context, settings); !chosen) return std::unexpected(chosen.error());
  // The gate's order decides; but an agent that puts ChaCha20 first has its reasons.
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  if (gate || !settings.own.certificate.empty()) {
    if (auto used = use_own(*context, settings.own); !used) return std::unexpected(used.error());
  }
  if (auto trusted = trust(*context, settings); !trusted) return std::unexpected(trusted.error());
  if (auto named = name_protocols(*context, gate, *protocols); !named) return std::unexpected(named.error());
  if (gate && settings.transport == Transport::stream) {
    if (auto shown = show_authority(*context, settings.authority); !shown) return std::unexpected(shown.error());
  }
  return TlsContext(settings.role, context);
}

}  // namespace periplex::link

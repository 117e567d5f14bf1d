// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <memory>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>

/// Owners of what OpenSSL hands out. Only the files of this room that are about TLS include this.
namespace periplex::link::openssl {

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Free<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;

/// `what`, and what OpenSSL has to say about it; empties the thread's queue of errors.
[[nodiscard]] std::string error(std::string_view what);

/// The same for a handshake or a connection; where the far end's certificate is the reason, that is said.
[[nodiscard]] std::string failure(const SSL& ssl, std::string_view what);

[[nodiscard]] std::expected<CertificatePtr, std::string> read_certificate(const std::string& pem);
[[nodiscard]] std::expected<KeyPtr, std::string> read_key(const std::string& pem);
/// Empty where it cannot be written.
[[nodiscard]] std::string to_pem(const X509& certificate);
/// SHA-256 of the certificate in DER, 64 lower-case hexadecimal digits.
[[nodiscard]] std::string fingerprint_of(const X509& certificate);
[[nodiscard]] std::string common_name_of(const X509& certificate);

}  // namespace periplex::link::openssl

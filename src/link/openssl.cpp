// SPDX-License-Identifier: Apache-2.0
#include "link/openssl.hpp"

#include <array>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "link/text.hpp"

namespace periplex::link::openssl {
namespace {

/// A key with a password cannot be used by a service: it is not asked for.
int no_password(char*, int, int, void*) {
  return -1;
}

BioPtr reader_of(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

}  // namespace

std::string error(std::string_view what) {
  std::string text(what);
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  if (reason != nullptr) text += fmt::format(": {}", reason);
  return text;
}

std::string failure(const SSL& ssl, std::string_view what) {
  const long verdict = SSL_get_verify_result(&ssl);
  if (verdict != X509_V_OK && (SSL_get_verify_mode(&ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0) {
    return fmt::format("{}: the far end's certificate: {}", what, X509_verify_cert_error_string(verdict));
  }
  return error(what);
}

std::expected<CertificatePtr, std::string> read_certificate(const std::string& pem) {
  const BioPtr bio = reader_of(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
  if (!certificate) return std::unexpected(error("not a certificate in PEM form"));
  return certificate;
}

std::expected<KeyPtr, std::string> read_key(const std::string& pem) {
  const BioPtr bio = reader_of(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return std::unexpected(error("not a private key in PEM form"));
  return key;
}

std::string to_pem(const X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), const_cast<X509*>(&certificate)) != 1) return {};
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  std::string text;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &length) != 1) return text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string common_name_of(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (length < 0) return {};
  std::string name = presentable({reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length)});
  OPENSSL_free(utf8);
  return name;
}

}  // namespace periplex::link::openssl

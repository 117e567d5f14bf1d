// SPDX-License-Identifier: Apache-2.0
#include "link/certificate.hpp"

#include <ctime>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "link/openssl.hpp"

namespace periplex::link {
namespace {

using openssl::BioPtr;
using openssl::CertificatePtr;
using openssl::error;
using openssl::KeyPtr;

constexpr int kSerialBytes = 16;
constexpr std::size_t kMaxCommonName = 64;  // ub-common-name

template <typename Write>
std::expected<std::string, std::string> to_pem(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return std::unexpected(error("cannot write PEM"));
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

std::expected<std::string, std::string> certificate_pem(const X509& certificate) {
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, const_cast<X509*>(&certificate)); });
}

std::expected<std::string, std::string> key_pem(EVP_PKEY& key) {
  return to_pem([&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

bool set_name(X509_NAME* to, const std::string& name) {
  return X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(name.size()), -1, 0) == 1;
}

bool set_random_serial(X509& certificate) {
  unsigned char bytes[kSerialBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] &= 0x7f;  // positive, and no longer than it is
  bytes[0] |= 0x40;
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  const bool set = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(&certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool add_extension(X509& certificate, X509& issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  const bool added = extension != nullptr && X509_add_ext(&certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool add_authority_extensions(X509& certificate) {
  return add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
}

bool add_leaf_extensions(X509& certificate, X509& issuer, CertificateUse use) {
  const char* const usage = use == CertificateUse::gate ? "serverAuth" : "clientAuth";
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, issuer, NID_ext_key_usage, usage) &&
         add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
}

std::expected<void, std::string> check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxCommonName) return {};
  return std::unexpected(fmt::format("a certificate's name has 1 to {} bytes", kMaxCommonName));
}

/// Everything of a certificate but its issuer, extensions and signature.
std::expected<CertificatePtr, std::string> begin_certificate(const std::string& name, EVP_PKEY& key, Validity valid) {
  if (const auto good = check_name(name); !good) return std::unexpected(good.error());
  CertificatePtr certificate(X509_new());
  const bool good = certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    set_random_serial(*certificate) && X509_set_pubkey(certificate.get(), &key) == 1 &&
                    set_name(X509_get_subject_name(certificate.get()), name) &&
                    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid.from.count()) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid.until.count()) != nullptr;
  if (!good) return std::unexpected(error("cannot make a certificate"));
  return certificate;
}

KeyPtr new_key() {
  return KeyPtr(EVP_EC_gen("P-256"));
}

std::expected<openssl::RequestPtr, std::string> read_request(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  openssl::RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return std::unexpected(error("not a signing request in PEM form"));
  return request;
}

}  // namespace

std::expected<Credentials, std::string> make_authority(const std::string& name, Validity validity) {
  const KeyPtr key = new_key();
  if (!key) return std::unexpected(error("cannot make a key"));
  const auto certificate = begin_certificate(name, *key, validity);
  if (!certificate) return std::unexpected(certificate.error());
  X509& x509 = **certificate;
  const bool good = X509_set_issuer_name(&x509, X509_get_subject_name(&x509)) == 1 && add_authority_extensions(x509) &&
                    X509_sign(&x509, key.get(), EVP_sha256()) > 0;
  if (!good) return std::unexpected(error("cannot make an authority's certificate"));
  const auto certificate_text = certificate_pem(x509);
  const auto key_text = key_pem(*key);
  if (!certificate_text || !key_text) return std::unexpected(error("cannot write an authority"));
  return Credentials{.certificate = *certificate_text, .key = *key_text};
}

std::expected<std::string, std::string> make_key() {
  const KeyPtr key = new_key();
  if (!key) return std::unexpected(error("cannot make a key"));
  return key_pem(*key);
}

std::expected<std::string, std::string> make_request(const std::string& key, const std::string& name) {
  if (const auto good = check_name(name); !good) return std::unexpected(good.error());
  const auto private_key = openssl::read_key(key);
  if (!private_key) return std::unexpected(private_key.error());
  const openssl::RequestPtr request(X509_REQ_new());
  const bool good = request && set_name(X509_REQ_get_subject_name(request.get()), name) &&
                    X509_REQ_set_pubkey(request.get(), private_key->get()) == 1 &&
                    X509_REQ_sign(request.get(), private_key->get(), EVP_sha256()) > 0;
  if (!good) return std::unexpected(error("cannot make a signing request"));
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
}

std::expected<std::string, std::string> sign(const Credentials& authority, const std::string& request,
                                             const std::string& name, CertificateUse use, Validity validity) {
  const auto issuer = openssl::read_certificate(authority.certificate);
  const auto issuer_key = openssl::read_key(authority.key);
  const auto asked = read_request(request);
  if (!issuer) return std::unexpected("the authority: " + issuer.error());
  if (!issuer_key) return std::unexpected("the authority: " + issuer_key.error());
  if (!asked) return std::unexpected(asked.error());
  EVP_PKEY* public_key = X509_REQ_get0_pubkey(asked->get());
  if (public_key == nullptr || X509_REQ_verify(asked->get(), public_key) != 1) {
    return std::unexpected(error("the signing request is not signed with its own key"));
  }
  const auto certificate = begin_certificate(name, *public_key, validity);
  if (!certificate) return std::unexpected(certificate.error());
  X509& x509 = **certificate;
  const bool good = X509_set_issuer_name(&x509, X509_get_subject_name(issuer->get())) == 1 &&
                    add_leaf_extensions(x509, **issuer, use) && X509_sign(&x509, issuer_key->get(), EVP_sha256()) > 0;
  if (!good) return std::unexpected(error("cannot sign a certificate"));
  return certificate_pem(x509);
}

std::expected<Credentials, std::string> issue(const Credentials& authority, const std::string& name, CertificateUse use,
                                              Validity validity) {
  const auto key = make_key();
  if (!key) return std::unexpected(key.error());
  const auto request = make_request(*key, name);
  if (!request) return std::unexpected(request.error());
  const auto certificate = sign(authority, *request, name, use, validity);
  if (!certificate) return std::unexpected(certificate.error());
  return Credentials{.certificate = *certificate, .key = *key};
}

std::expected<CertificateFacts, std::string> inspect(const std::string& certificate) {
  const auto x509 = openssl::read_certificate(certificate);
  if (!x509) return std::unexpected(x509.error());
  std::tm until{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(x509->get()), &until) != 1) {
    return std::unexpected(error("the certificate's dates cannot be read"));
  }
  return CertificateFacts{.common_name = openssl::common_name_of(**x509),
                          .fingerprint = openssl::fingerprint_of(**x509),
                          .not_after = std::chrono::system_clock::from_time_t(::timegm(&until))};
}

std::expected<void, std::string> verify(const std::string& certificate, const std::string& authority,
                                        CertificateUse use) {
  const auto x509 = openssl::read_certificate(certificate);
  const auto issuer = openssl::read_certificate(authority);
  if (!x509) return std::unexpected(x509.error());
  if (!issuer) return std::unexpected("the authority: " + issuer.error());
  const openssl::StorePtr store(X509_STORE_new());
  const openssl::StoreContextPtr context(X509_STORE_CTX_new());
  const int purpose = use == CertificateUse::gate ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
  const bool ready = store && context && X509_STORE_add_cert(store.get(), issuer->get()) == 1 &&
                     X509_STORE_CTX_init(context.get(), store.get(), x509->get(), nullptr) == 1 &&
                     X509_STORE_CTX_set_purpose(context.get(), purpose) == 1;
  if (!ready) return std::unexpected(error("cannot verify a certificate"));
  if (X509_verify_cert(context.get()) == 1) return {};
  return std::unexpected(std::string(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))));
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#include "link/dtls_reception.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <utility>

#include "base/check.hpp"
#include "link/dtls_wire.hpp"

namespace periplex::link {
namespace {

struct Free {
  void operator()(BIO_ADDR* address) const { BIO_ADDR_free(address); }
};

}  // namespace

DtlsReception::DtlsReception(const Clock& clock, TlsContext context) : clock_(clock), context_(std::move(context)) {
  PERIPLEX_CHECK(RAND_bytes(key_.data(), static_cast<int>(key_.size())) == 1);
  SSL_CTX_set_cookie_generate_cb(context_.get(), make_cookie);
  SSL_CTX_set_cookie_verify_cb(context_.get(), check_cookie);
}

DtlsReception::~DtlsReception() = default;

DtlsReception::Verdict DtlsReception::receive(ByteView datagram, ByteView address) {
  Verdict verdict;
  if (datagram.empty()) return verdict;
  if (!next_) next_.reset(new DtlsEnd(context_));
  address_.assign(address.begin(), address.end());
  SSL_set_app_data(next_->ssl.get(), this);
  next_->wire->in.emplace(datagram.begin(), datagram.end());
  const std::unique_ptr<BIO_ADDR, Free> nobody(BIO_ADDR_new());  // our BIO knows no addresses
  const int result = DTLSv1_listen(next_->ssl.get(), nobody.get());
  ERR_clear_error();
  next_->wire->in.reset();
  if (result == 1) {
    SSL_set_app_data(next_->ssl.get(), nullptr);
    verdict.accepted = std::move(next_);
    return verdict;
  }
  auto answers = std::exchange(next_->wire->out, {});
  if (!answers.empty()) verdict.answer = std::move(answers.front());
  if (result < 0) next_.reset();
  return verdict;
}

std::optional<DtlsReception::Mac> DtlsReception::mac(std::int64_t period) const {
  const Bytes text = ByteWriter().le64(static_cast<std::uint64_t>(period)).bytes(address_).take();
  Mac made{};
  unsigned size = 0;
  const unsigned char* const done =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), made.data(), &size);
  if (done == nullptr || size != made.size()) return std::nullopt;
  return made;
}

int DtlsReception::make_cookie(ssl_st* ssl, unsigned char* cookie, unsigned* size) {
  const auto& self = *static_cast<const DtlsReception*>(SSL_get_app_data(ssl));
  const auto made = self.mac(self.period());
  if (!made) return 0;
  std::ranges::copy(*made, cookie);
  *size = static_cast<unsigned>(made->size());
  return 1;
}

int DtlsReception::check_cookie(ssl_st* ssl, const unsigned char* cookie, unsigned size) {
  const auto* const reception = static_cast<const DtlsReception*>(SSL_get_app_data(ssl));
  // The handshake looks at the ClientHello again, which has been accepted here.
  if (reception == nullptr) return 1;
  const DtlsReception& self = *reception;
  for (const std::int64_t period : {self.period(), self.period() - 1}) {
    const auto made = self.mac(period);
    if (made && size == made->size() && CRYPTO_memcmp(cookie, made->data(), size) == 0) return 1;
  }
  return 0;
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#include "link/dtls_association.hpp"

#include <array>
#include <sys/time.h>
#include <utility>

#include "link/datagram.hpp"
#include "link/dtls_wire.hpp"
#include "link/openssl.hpp"

namespace periplex::link {
namespace {

/// The first wait for an answer to a flight, and what it doubles to; in microseconds. RFC 6347 §4.2.4.1 recommends a
/// second for where nothing is known; here a connection beside it has just been made.
constexpr unsigned kFirstWait = 250'000;
constexpr unsigned kLastWait = 2'000'000;

unsigned next_wait(SSL*, unsigned before) {
  return before == 0 ? kFirstWait : std::min(2 * before, kLastWait);
}

bool speaks_ours(const SSL& ssl) {
  const unsigned char* protocol = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(&ssl, &protocol, &length);
  return as_text(std::as_bytes(std::span(protocol, length))) == kDatagramProtocol;
}

}  // namespace

void DtlsEndDeleter::operator()(DtlsEnd* end) const {
  delete end;
}

DtlsAssociation::DtlsAssociation(Scheduler& scheduler, const TlsContext& context, DtlsUser& user)
    : DtlsAssociation(scheduler, DtlsEndPtr(new DtlsEnd(context)), user) {}

DtlsAssociation::DtlsAssociation(Scheduler& scheduler, DtlsEndPtr accepted, DtlsUser& user)
    : user_(user),
      end_(std::move(accepted)),
      repeat_timer_(scheduler.make_timer([this] { repeat(); })),
      deadline_(scheduler.make_timer([this] { end("the far end took too long with the DTLS handshake"); })) {
  DTLS_set_timer_cb(end_->ssl.get(), next_wait);
}

DtlsAssociation::~DtlsAssociation() = default;

void DtlsAssociation::start() {
  deadline_->arm(kHandshakeTime);
  advance();
}

void DtlsAssociation::receive(ByteView datagram) {
  // To OpenSSL nothing is the end of everything.
  if (state_ == State::closed || datagram.empty()) return;
  end_->wire->in.emplace(datagram.begin(), datagram.end());
  advance();
}

void DtlsAssociation::send(ByteView bytes) {
  if (state_ != State::established || bytes.empty() || bytes.size() > Datagram::kMaxSize) return;
  (void)SSL_write(end_->ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
  flush();
}

void DtlsAssociation::close() {
  if (state_ == State::established) (void)SSL_shutdown(end_->ssl.get());
  state_ = State::closed;
  repeat_timer_->cancel();
  deadline_->cancel();
  flush();
}

void DtlsAssociation::advance() {
  if (state_ == State::handshake) handshake();
  if (state_ == State::established) read();
  if (state_ == State::closed) return;
  flush();
  arm();
}

void DtlsAssociation::handshake() {
  const int result = SSL_do_handshake(end_->ssl.get());
  if (result != 1) {
    if (SSL_get_error(end_->ssl.get(), result) != SSL_ERROR_WANT_READ) fail("the DTLS handshake failed");
    return;
  }
  if (!speaks_ours(*end_->ssl)) return fail("the far end speaks another protocol than ours");
  const X509* const certificate = SSL_get0_peer_certificate(end_->ssl.get());
  if (certificate == nullptr) return fail("the far end has no certificate");
  state_ = State::established;
  deadline_->cancel();
  flush();
  user_.dtls_established(openssl::fingerprint_of(*certificate));
}

void DtlsAssociation::read() {
  std::array<std::byte, 16 * 1024> bytes;
  while (state_ == State::established) {
    const int count = SSL_read(end_->ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) {
      user_.dtls_received(ByteView(bytes).first(static_cast<std::size_t>(count)));
      continue;
    }
    const int error = SSL_get_error(end_->ssl.get(), count);
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_ZERO_RETURN) return end({});
    return fail("DTLS failed");
  }
}

/// A flight was not answered.
void DtlsAssociation::repeat() {
  if (DTLSv1_handle_timeout(end_->ssl.get()) < 0) return fail("nobody answers");
  flush();
  arm();
}

void DtlsAssociation::flush() {
  for (const Bytes& datagram : std::exchange(end_->wire->out, {})) user_.dtls_send(datagram);
}

void DtlsAssociation::arm() {
  timeval wait{};
  if (DTLSv1_get_timeout(end_->ssl.get(), &wait) != 1) return repeat_timer_->cancel();
  repeat_timer_->arm(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec));
}

void DtlsAssociation::fail(const char* what) {
  const std::string why = openssl::failure(*end_->ssl, what);
  flush();  // the alert that tells the far end
  end(why);
}

void DtlsAssociation::end(const std::string& why) {
  if (std::exchange(state_, State::closed) == State::closed) return;
  repeat_timer_->cancel();
  deadline_->cancel();
  user_.dtls_closed(why);
}

}  // namespace periplex::link

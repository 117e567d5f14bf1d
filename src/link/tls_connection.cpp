// SPDX-License-Identifier: Apache-2.0
#include "link/tls_connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include "base/check.hpp"
#include "link/openssl.hpp"

namespace periplex::link {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;
constexpr int kMaxChain = 4;
constexpr int kRoundsPerEvent = 8;  // then others have their turn

/// Does nothing on sockets that are not TCP's, as in tests.
void tune(int socket) {
  const int on = 1;
  const int keeps = TlsConnection::kKernelKeeps;
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &keeps, sizeof keeps);
}

std::string reason_of(int number) {
  return std::strerror(number);
}

}  // namespace

TlsConnection::TlsConnection(EventLoop& loop, UniqueFd socket, const TlsContext& context, TlsUser& user)
    : loop_(loop),
      socket_(std::move(socket)),
      user_(user),
      context_(context.share()),
      ssl_(SSL_new(context_.get()), SSL_free),
      deadline_(loop.make_timer([this] {
        if (said_all_) return close({});
        close(state_ == State::finishing ? "the far end took too long to take the last words"
                                         : "the far end took too long with the TLS handshake");
      })) {
  PERIPLEX_CHECK(ssl_ != nullptr);
  from_network_ = BIO_new(BIO_s_mem());
  to_network_ = BIO_new(BIO_s_mem());
  PERIPLEX_CHECK(from_network_ != nullptr && to_network_ != nullptr);
  SSL_set_bio(ssl_.get(), from_network_, to_network_);
  if (context.role() == TlsContext::Role::gate) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
  tune(socket_.get());
  deadline_->arm(kHandshakeTime);
  // A socket that is being connected becomes writable when it is.
  wants_write_ = true;
  watch_ = loop_.watch(socket_.get(), EPOLLIN | EPOLLOUT, [this](std::uint32_t events) { on_socket(events); });
}

TlsConnection::~TlsConnection() {
  *alive_ = false;
}

void TlsConnection::output_ready() {
  if (state_ != State::established || std::exchange(pump_deferred_, true)) return;
  loop_.defer([this, alive = alive_] {
    if (!*alive) return;
    pump_deferred_ = false;
    pump();
  });
}

void TlsConnection::mark_urgent() {
  const int expedited = 46 << 2;
  (void)::setsockopt(socket_.get(), IPPROTO_IP, IP_TOS, &expedited, sizeof expedited);
  (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_TCLASS, &expedited, sizeof expedited);
}

void TlsConnection::finish(Bytes last_words) {
  if (state_ == State::closed || state_ == State::finishing) return;
  if (state_ == State::established) {
    write_plain(last_words);
    (void)SSL_shutdown(ssl_.get());
  }
  state_ = State::finishing;
  deadline_->arm(kFinishTime);
  loop_.defer([this, alive = alive_] {
    if (*alive) pump();
  });
}

void TlsConnection::on_socket(std::uint32_t events) {
  if (state_ == State::closed) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) {
    int error = 0;
    socklen_t size = sizeof error;
    (void)::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (state_ == State::finishing) return close({});
    return close(error == 0 ? "the connection ended without a word" : reason_of(error));
  }
  if ((events & EPOLLIN) != 0 && !read_socket()) return;
  if (state_ == State::handshake) advance();
  pump();
}

/// Takes what has arrived; false once the connection has ended.
bool TlsConnection::read_socket() {
  std::array<std::byte, kReadSize> bytes;
  for (int round = 0; round < kRoundsPerEvent; ++round) {
    const ssize_t count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count < 0) return close(reason_of(errno)), false;
    if (count == 0) {
      const bool finishing = state_ == State::finishing;
      return close(finishing ? "" : "the connection ended without a word"), false;
    }
    // Whoever says goodbye hears nothing any more.
    if (state_ == State::finishing) continue;
    BIO_write(from_network_, bytes.data(), static_cast<int>(count));
    advance();
    if (state_ == State::closed) return false;
    if (static_cast<std::size_t>(count) < bytes.size()) return true;
  }
  return true;
}

void TlsConnection::advance() {
  if (state_ == State::handshake) handshake();
  if (state_ == State::established) read_plain();
}

void TlsConnection::handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    deadline_->cancel();
    state_ = State::established;
    (void)flush();
    return user_.tls_established(peer());
  }
  if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return fail("the TLS handshake failed");
  (void)flush();
}

void TlsConnection::read_plain() {
  std::array<std::byte, 16 * 1024> bytes;
  while (state_ == State::established) {
    const int count = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) {
      user_.tls_received(ByteView(bytes).first(static_cast<std::size_t>(count)));
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), count);
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_ZERO_RETURN) return close({});
    return fail("TLS failed");
  }
}

void TlsConnection::write_plain(ByteView bytes) {
  if (bytes.empty()) return;
  // Into memory: it is taken at once and as a whole.
  (void)SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
}

void TlsConnection::pump() {
  for (int round = 0; round < kRoundsPerEvent; ++round) {
    if (state_ == State::closed || !flush()) return;
    if (state_ == State::finishing) return say_no_more();
    if (state_ != State::established) return;
    const Bytes bytes = user_.tls_output(kFetch);
    if (bytes.empty()) return;
    if (state_ == State::established) write_plain(bytes);
  }
  // There may be more: the loop comes back when the socket can take it.
  wants_write_ = true;
  if (state_ != State::closed) watch_->set_events(EPOLLIN | EPOLLOUT);
}

/// A socket that is closed while something is still to be read takes back what the far end has not read yet. So only
/// our direction ends, and the rest when the far end has ended its own.
void TlsConnection::say_no_more() {
  if (!std::exchange(said_all_, true)) (void)::shutdown(socket_.get(), SHUT_WR);
}

/// Gives the kernel what TLS has written; whether it took all of it.
bool TlsConnection::flush() {
  for (;;) {
    if (sent_ == unsent_.size()) {
      sent_ = 0;
      unsent_.resize(std::min(BIO_ctrl_pending(to_network_), kReadSize));
      if (unsent_.empty()) break;
      BIO_read(to_network_, unsent_.data(), static_cast<int>(unsent_.size()));
    }
    const ssize_t count = ::send(socket_.get(), unsent_.data() + sent_, unsent_.size() - sent_, MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    // Not connected yet, or its buffer is full; any other error is told when it is read.
    if (BIO_ctrl_pending(to_network_) > kMaxUnsent) return close("the far end does not read"), false;
    if (!std::exchange(wants_write_, true)) watch_->set_events(EPOLLIN | EPOLLOUT);
    return false;
  }
  if (std::exchange(wants_write_, false)) watch_->set_events(EPOLLIN);
  return true;
}

void TlsConnection::fail(const char* what) {
  const std::string why = openssl::failure(*ssl_, what);
  (void)flush();  // the alert that tells the far end
  close(why);
}

void TlsConnection::close(const std::string& why) {
  if (std::exchange(state_, State::closed) == State::closed) return;
  deadline_->cancel();
  watch_.reset();
  socket_.reset();
  user_.tls_closed(why);
}

TlsPeer TlsConnection::peer() const {
  TlsPeer peer{.cipher = SSL_get_cipher_name(ssl_.get())};
  if (const X509* certificate = SSL_get0_peer_certificate(ssl_.get())) {
    peer.common_name = openssl::common_name_of(*certificate);
    peer.fingerprint = openssl::fingerprint_of(*certificate);
  }
  const unsigned char* protocol = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &length);
  if (length > 0) peer.protocol.assign(reinterpret_cast<const char*>(protocol), length);
  if (SSL_is_server(ssl_.get()) == 1) return peer;
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; i < std::min(sk_X509_num(chain), kMaxChain); ++i) {
    peer.chain.push_back(openssl::to_pem(*sk_X509_value(chain, i)));
  }
  return peer;
}

}  // namespace periplex::link

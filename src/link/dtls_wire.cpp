// SPDX-License-Identifier: Apache-2.0
#include "link/dtls_wire.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace periplex::link {
namespace {

int read(BIO* bio, char* into, int size) {
  auto& wire = *static_cast<DtlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!wire.in) {
    BIO_set_retry_read(bio);
    return -1;
  }
  // As a socket does it: what does not fit is lost.
  const std::size_t count = std::min(wire.in->size(), static_cast<std::size_t>(std::max(size, 0)));
  std::ranges::copy(as_text(ByteView(*wire.in).first(count)), into);
  wire.in.reset();
  return static_cast<int>(count);
}

int write(BIO* bio, const char* bytes, int size) {
  auto& wire = *static_cast<DtlsWire*>(BIO_get_data(bio));
  const ByteView view = as_bytes({bytes, static_cast<std::size_t>(std::max(size, 0))});
  wire.out.emplace_back(view.begin(), view.end());
  return size;
}

long control(BIO*, int command, long, void*) {
  // That others are not known is what 0 says; the length of datagrams is set by hand.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams in memory");
    PERIPLEX_CHECK(fresh != nullptr);
    BIO_meth_set_read(fresh, read);
    BIO_meth_set_write(fresh, write);
    BIO_meth_set_ctrl(fresh, control);
    return fresh;
  }();
  return made;
}

}  // namespace

DtlsEnd::DtlsEnd(const TlsContext& made) : context(made.share()), wire(std::make_unique<DtlsWire>()) {
  ssl.reset(SSL_new(context.get()));
  BIO* const bio = BIO_new(method());
  PERIPLEX_CHECK(ssl != nullptr && bio != nullptr);
  BIO_set_data(bio, wire.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_mtu(ssl.get(), kMaxDatagram);
  if (made.role() == TlsContext::Role::gate) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
  }
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "link/openssl.hpp"
#include "link/tls_context.hpp"

namespace periplex::link {

/// What is between OpenSSL and the network: datagrams as they are, no socket. Only the files of this room that are
/// about DTLS include this.
struct DtlsWire {
  std::optional<Bytes> in;  ///< has come, and is not read yet
  std::vector<Bytes> out;   ///< to be sent
};

/// One end of an association, with what OpenSSL needs of it while it lives. OpenSSL 3.0 has no datagrams in memory: the
/// BIO is ours.
struct DtlsEnd {
  /// No UDP payload of ours is longer (docs/protocol.md, "Datagrams").
  static constexpr long kMaxDatagram = 1200;

  explicit DtlsEnd(const TlsContext& context);

  std::shared_ptr<ssl_ctx_st> context;
  std::unique_ptr<DtlsWire> wire;
  openssl::SslPtr ssl;
};

}  // namespace periplex::link

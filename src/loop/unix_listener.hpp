// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>

#include "loop/unique_fd.hpp"

namespace periplex {

/// Where clients find a socket, and who may use it (libvirt's QEMU runs as another user).
struct UnixListenerOptions {
  std::string path;
  mode_t mode = 0600;
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  bool messages = false;  ///< SOCK_SEQPACKET, for a `MessageSocket`; else a stream
};

/// Creates a listening Unix socket, for an `Acceptor`. The error is a sentence for the person who gave the path.
///
/// A socket left behind by a process that is gone is replaced; one that somebody listens on, and a file that is no
/// socket, are left alone. Nobody can connect before owner and mode are set.
[[nodiscard]] std::expected<UniqueFd, std::string> listen_unix(const UnixListenerOptions& options);

}  // namespace periplex

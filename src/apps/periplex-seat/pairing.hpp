// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "link/certificate.hpp"

namespace periplex::apps {

/// How a seat and its host know each other. It is kept in files of the seat's state directory, which only its user may
/// read.
struct Pairing {
  link::Credentials own;  ///< the key never leaves this computer
  std::string authority;  ///< the host's: whom this seat trusts, and nobody else
  std::string gate;       ///< HOST or HOST:PORT, as it was given
  std::string name;       ///< that the host gave the seat
};

/// Where it is kept, if nothing else is said: /var/lib/periplex-seat for root, for others
/// $XDG_STATE_HOME/periplex-seat (~/.local/state if that is not set). Empty: this user has no such place.
[[nodiscard]] std::string usual_state_directory();

/// Errors are texts for people.

/// The key of this seat; made, with the directory, if it is not there.
[[nodiscard]] std::expected<std::string, std::string> own_key(const std::string& directory);
/// Takes the place of the pairing that there may have been.
[[nodiscard]] std::expected<void, std::string> keep_pairing(const std::string& directory, const Pairing& pairing);
/// Empty: the seat has not been paired.
[[nodiscard]] std::expected<std::optional<Pairing>, std::string> read_pairing(const std::string& directory);

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "gate/documents.hpp"
#include "link/certificate.hpp"
#include "link/token.hpp"

namespace periplex::apps {

/// What a host keeps: its authority, its gate's certificate, the seats that have come, and the tokens that are out.
///
///     authority.pem, authority.key   made once; only who may read the key can let a seat in
///     gate.pem, gate.key             made again when they have become old
///     seats/NAME.pem                 the certificate of each seat that may come; remove it, and it may not
///     invitations/DIGEST             "NAME EXPIRY", by the digest of a token's secret: the token itself is nowhere
///
/// All of it is plain files in a directory of one's own, changed one at a time and as a whole: several processes may
/// use it at once. Errors are texts for a person.
class Store {
 public:
  using Time = std::chrono::system_clock::time_point;
  static constexpr std::chrono::seconds kTokenValid = std::chrono::hours(1);
  static constexpr std::size_t kMaxInvitations = 1000;

  /// Makes what is not there yet.
  [[nodiscard]] static std::expected<Store, std::string> open(const std::string& directory);

  [[nodiscard]] const std::string& authority() const { return authority_.certificate; }
  /// The gate's certificate and key: what there is, if it is good for a while yet; else new ones.
  [[nodiscard]] std::expected<link::Credentials, std::string> gate(const std::string& name) const;
  /// Those whose certificates are the authority's and can be read.
  [[nodiscard]] std::vector<gate::KnownSeat> seats() const;
  /// A token that lets whoever has it in, once, as `name`. A seat of that name that there is keeps its certificate
  /// until the token is used.
  [[nodiscard]] std::expected<link::Token, std::string> invite(const std::string& name, Time now,
                                                               std::chrono::seconds valid = kTokenValid) const;
  /// Uses the token up.
  [[nodiscard]] gate::EnrolmentVerdict enrol(const gate::EnrolmentQuestion& question, Time now) const;
  /// Whether there was such a seat.
  [[nodiscard]] std::expected<bool, std::string> forget(const std::string& name) const;

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] std::expected<void, std::string> make_authority() const;
  [[nodiscard]] std::expected<std::string, std::string> accept(const gate::EnrolmentQuestion& question,
                                                               std::string& name, Time now) const;
  void remove_old_invitations(Time now, std::size_t& left) const;
  [[nodiscard]] std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }

  std::string directory_;
  link::Credentials authority_;
};

}  // namespace periplex::apps

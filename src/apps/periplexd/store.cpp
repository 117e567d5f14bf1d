// SPDX-License-Identifier: Apache-2.0
#include "apps/periplexd/store.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sys/file.h>
#include <unistd.h>

#include "apps/files.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::apps {
namespace {

constexpr mode_t kSecret = 0600;
constexpr mode_t kPublic = 0644;
constexpr std::string_view kCertificateSuffix = ".pem";
constexpr auto kRenewBefore = std::chrono::hours(24 * 30);
/// Whatever is wrong with a token: who guesses learns nothing.
constexpr const char* kNoGood = "the token is not good, or not any more; ask for another";

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Invitation {
  std::string name;
  std::chrono::seconds expiry{};  // since the epoch
};

std::string text_of(const Invitation& invitation) {
  return fmt::format("{} {}\n", invitation.name, invitation.expiry.count());
}

std::optional<Invitation> parse_invitation(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::int64_t expiry = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + space + 1, end, expiry);
  if (error != std::errc{} || std::string_view(rest, static_cast<std::size_t>(end - rest)) != "\n") return std::nullopt;
  return Invitation{.name = std::string(text.substr(0, space)), .expiry = std::chrono::seconds(expiry)};
}

bool is_over(const Invitation& invitation, Store::Time now) {
  return now.time_since_epoch() >= invitation.expiry;
}

/// Both files, or nothing where one is missing.
std::expected<std::optional<link::Credentials>, std::string> read_credentials(const std::string& certificate,
                                                                              const std::string& key) {
  auto first = read_small_file(certificate);
  if (!first) return std::unexpected(first.error());
  auto second = read_small_file(key);
  if (!second) return std::unexpected(second.error());
  if (!*first || !*second) return std::nullopt;
  return link::Credentials{.certificate = std::move(**first), .key = std::move(**second)};
}

}  // namespace

std::expected<Store, std::string> Store::open(const std::string& directory) {
  Store store(directory);
  for (const char* part : {"", "/seats", "/invitations"}) {
    if (auto made = make_own_directory(directory + part); !made) return std::unexpected(made.error());
  }
  // Two that begin at the same time must not make an authority each.
  const UniqueFd lock(::open(store.path("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kSecret));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) {
    return std::unexpected(fmt::format("{}: cannot lock it: {}", directory, std::strerror(errno)));
  }
  auto found = read_credentials(store.path("authority.pem"), store.path("authority.key"));
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    if (auto made = store.make_authority(); !made) return std::unexpected(made.error());
    found = read_credentials(store.path("authority.pem"), store.path("authority.key"));
    if (!found || !*found) return std::unexpected("the authority that was made cannot be read");
  }
  store.authority_ = std::move(**found);
  return store;
}

std::expected<void, std::string> Store::make_authority() const {
  // A certificate without its key may be what seats trust: it is not replaced by accident.
  if (std::filesystem::exists(path("authority.pem"))) {
    return std::unexpected(path("authority.key") + " is missing; remove authority.pem to begin anew");
  }
  const auto made = link::make_authority("Periplex authority");
  if (!made) return std::unexpected(made.error());
  if (auto kept = replace_file(path("authority.key"), made->key, kSecret); !kept) return kept;
  return replace_file(path("authority.pem"), made->certificate, kPublic);
}

std::expected<link::Credentials, std::string> Store::gate(const std::string& name) const {
  auto found = read_credentials(path("gate.pem"), path("gate.key"));
  if (!found) return std::unexpected(found.error());
  if (*found) {
    const auto facts = link::inspect((*found)->certificate);
    const bool good = facts && facts->common_name == name &&
                      facts->not_after > std::chrono::system_clock::now() + kRenewBefore &&
                      link::verify((*found)->certificate, authority_.certificate, link::CertificateUse::gate);
    if (good) return std::move(**found);
  }
  auto made = link::issue(authority_, name, link::CertificateUse::gate);
  if (!made) return std::unexpected(made.error());
  if (auto kept = replace_file(path("gate.key"), made->key, kSecret); !kept) return std::unexpected(kept.error());
  if (auto kept = replace_file(path("gate.pem"), made->certificate, kPublic); !kept) {
    return std::unexpected(kept.error());
  }
  return std::move(*made);
}

std::vector<gate::KnownSeat> Store::seats() const {
  std::vector<gate::KnownSeat> seats;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path("seats"), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (!file.ends_with(kCertificateSuffix)) continue;
    const std::string name = file.substr(0, file.size() - kCertificateSuffix.size());
    const auto certificate = read_small_file(entry->path().string());
    if (!gate::is_name(name) || !certificate || !*certificate) continue;
    if (!link::verify(**certificate, authority_.certificate, link::CertificateUse::seat)) continue;
    seats.push_back({.name = name, .fingerprint = link::inspect(**certificate)->fingerprint});
  }
  std::ranges::sort(seats, {}, &gate::KnownSeat::name);
  return seats;
}

std::expected<link::Token, std::string> Store::invite(const std::string& name, Time now,
                                                      std::chrono::seconds valid) const {
  if (!gate::is_name(name)) {
    return std::unexpected(
        fmt::format("\"{}\" cannot be a seat's name: use up to {} letters, digits, dots, dashes and "
                    "underscores, with a letter or digit first",
                    name, gate::kMaxName));
  }
  std::size_t left = 0;
  remove_old_invitations(now, left);
  if (left >= kMaxInvitations) return std::unexpected("too many tokens are out");
  const auto facts = link::inspect(authority_.certificate);
  if (!facts) return std::unexpected(facts.error());
  const auto token = link::Token::make(facts->fingerprint);
  if (!token) return std::unexpected("cannot make a token");
  const Invitation invitation{
      .name = name, .expiry = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch() + valid)};
  const std::string file = path("invitations/" + link::digest_of(token->secret));
  if (auto kept = replace_file(file, text_of(invitation), kSecret); !kept) return std::unexpected(kept.error());
  return *token;
}

void Store::remove_old_invitations(Time now, std::size_t& left) const {
  std::error_code error;
  std::vector<std::string> old;
  for (std::filesystem::directory_iterator entry(path("invitations"), error), end; !error && entry != end;
       entry.increment(error)) {
    const auto text = read_small_file(entry->path().string());
    const auto invitation = text && *text ? parse_invitation(**text) : std::nullopt;
    if (!invitation || is_over(*invitation, now)) {
      old.push_back(entry->path().string());
    } else {
      ++left;
    }
  }
  for (const std::string& file : old) ::unlink(file.c_str());
}

gate::EnrolmentVerdict Store::enrol(const gate::EnrolmentQuestion& question, Time now) const {
  std::string name;
  auto certificate = accept(question, name, now);
  if (!certificate) return {.id = question.id, .why = certificate.error()};
  return {.id = question.id, .name = std::move(name), .certificate = std::move(*certificate)};
}

std::expected<std::string, std::string> Store::accept(const gate::EnrolmentQuestion& question, std::string& name,
                                                      Time now) const {
  if (!is_digest(question.digest)) return std::unexpected(kNoGood);
  const std::string file = path("invitations/" + question.digest);
  const auto text = read_small_file(file);
  const auto invitation = text && *text ? parse_invitation(**text) : std::nullopt;
  if (!invitation || is_over(*invitation, now) || !gate::is_name(invitation->name)) return std::unexpected(kNoGood);
  // Who removes it has it: a token is good for one.
  if (::unlink(file.c_str()) != 0) return std::unexpected(kNoGood);
  auto certificate = link::sign(authority_, question.request, invitation->name, link::CertificateUse::seat);
  if (!certificate) return std::unexpected("the request cannot be signed, and the token is used up");
  const std::string to = path(fmt::format("seats/{}{}", invitation->name, kCertificateSuffix));
  if (!replace_file(to, *certificate, kPublic)) return std::unexpected("the host cannot keep the certificate");
  name = invitation->name;
  return certificate;
}

std::expected<bool, std::string> Store::forget(const std::string& name) const {
  if (!gate::is_name(name)) return false;
  const std::string file = path(fmt::format("seats/{}{}", name, kCertificateSuffix));
  if (::unlink(file.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return std::unexpected(fmt::format("{}: cannot remove it: {}", file, std::strerror(errno)));
}

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/pairing.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "apps/files.hpp"

namespace periplex::apps {
namespace {

constexpr mode_t kPrivate = 0600;
constexpr const char* kKey = "key.pem";

/// All but the key. The certificate is written last: without it there is no pairing.
constexpr std::array<std::pair<const char*, std::string Pairing::*>, 3> kTexts{
    {{"authority.pem", &Pairing::authority}, {"gate", &Pairing::gate}, {"name", &Pairing::name}}};
constexpr const char* kCertificate = "certificate.pem";

std::string in(const std::string& directory, const char* file) {
  return fmt::format("{}/{}", directory, file);
}

}  // namespace

std::string usual_state_directory() {
  if (::geteuid() == 0) return "/var/lib/periplex-seat";
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string state = variable("XDG_STATE_HOME");
  if (state.empty() && !variable("HOME").empty()) state = variable("HOME") + "/.local/state";
  return state.empty() ? "" : state + "/periplex-seat";
}

std::expected<std::string, std::string> own_key(const std::string& directory) {
  if (auto made = make_own_directory(directory); !made) return std::unexpected(made.error());
  const std::string path = in(directory, kKey);
  auto kept = read_small_file(path);
  if (!kept) return std::unexpected(kept.error());
  if (*kept) return std::move(**kept);
  auto key = link::make_key();
  if (!key) return key;
  if (auto done = replace_file(path, *key, kPrivate); !done) return std::unexpected(done.error());
  return key;
}

std::expected<void, std::string> keep_pairing(const std::string& directory, const Pairing& pairing) {
  for (const auto& [file, text] : kTexts) {
    if (auto done = replace_file(in(directory, file), pairing.*text, kPrivate); !done) return done;
  }
  return replace_file(in(directory, kCertificate), pairing.own.certificate, kPrivate);
}

std::expected<std::optional<Pairing>, std::string> read_pairing(const std::string& directory) {
  Pairing pairing;
  const auto take = [&](const char* file, std::string& into) -> std::expected<bool, std::string> {
    auto text = read_small_file(in(directory, file));
    if (!text) return std::unexpected(text.error());
    if (!*text) return false;
    into = std::move(**text);
    return true;
  };
  const auto paired = take(kCertificate, pairing.own.certificate);
  if (!paired) return std::unexpected(paired.error());
  if (!*paired) return std::nullopt;
  if (const auto there = take(kKey, pairing.own.key); !there) return std::unexpected(there.error());
  for (const auto& [file, text] : kTexts) {
    if (const auto there = take(file, pairing.*text); !there) return std::unexpected(there.error());
  }
  return pairing;
}

}  // namespace periplex::apps

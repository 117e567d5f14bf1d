// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "link/certificate.hpp"
#include "link/frame.hpp"
#include "link/tls_connection.hpp"
#include "link/token.hpp"

/// How an agent without a certificate gets one (docs/protocol.md, "Enrolment").
namespace periplex::link {

/// "PPXE", as a little-endian number.
inline constexpr std::uint32_t kEnrolmentMagic = 0x45585050;
/// A signing request or a certificate in PEM form is no longer.
inline constexpr std::size_t kMaxPem = 8 * 1024;

/// ENROL.
struct EnrolmentRequest {
  std::array<std::byte, Token::kSecretBytes> secret{};
  std::string request;  ///< as `make_request` makes it

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<EnrolmentRequest, Reason> parse(ByteView payload);
};

/// ENROLLED.
struct EnrolmentGrant {
  std::string certificate;
  std::string authority;
  std::string name;  ///< that the host gave the seat

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<EnrolmentGrant, Reason> parse(ByteView payload);
};

/// What an agent has, once it is enrolled.
struct Enrolled {
  Credentials credentials;
  std::string authority;
  std::string name;
};

/// An agent that is being enrolled, over a connected (or connecting) socket. It trusts the far end only once that has
/// shown a gate's certificate of the authority that the token names, and says the secret only then.
class EnrolmentClient final : private TlsUser {
 public:
  /// Called once, on the loop; the client may not be destroyed in it. An error is a text for a person.
  using Done = std::function<void(std::expected<Enrolled, std::string>)>;
  /// From the first byte to the certificate; a person may have to agree at the host.
  static constexpr Nanoseconds kPatience = std::chrono::seconds(30);

  /// `key` is the agent's, in PEM form (`make_key`); `name` what it would like to be called.
  [[nodiscard]] static std::expected<std::unique_ptr<EnrolmentClient>, std::string> start(
      EventLoop& loop, UniqueFd socket, const Token& token, std::string key, const std::string& name, Done done);

 private:
  EnrolmentClient(EventLoop& loop, UniqueFd socket, const TlsContext& context, const Token& token, std::string key,
                  std::string request, Done done);

  void tls_established(const TlsPeer& peer) override;
  void tls_received(ByteView bytes) override;
  Bytes tls_output(std::size_t) override { return std::exchange(output_, {}); }
  void tls_closed(const std::string& why) override;
  [[nodiscard]] std::expected<std::string, std::string> authority_of(const TlsPeer& peer) const;
  [[nodiscard]] std::expected<Enrolled, std::string> answered(const Frame& frame) const;
  void finish(std::expected<Enrolled, std::string> result);

  const Token token_;
  const std::string key_;
  const std::string request_;
  std::string authority_;  // once it is known
  Done done_;
  FrameReader reader_;
  Bytes output_;
  std::unique_ptr<Timer> patience_;
  TlsConnection connection_;
};

}  // namespace periplex::link

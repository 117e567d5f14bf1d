// SPDX-License-Identifier: Apache-2.0
#include "link/enrolment.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "link/messages.hpp"
#include "link/text.hpp"

namespace periplex::link {
namespace {

constexpr std::uint16_t kEnrolmentVersion = 1;

void append_pem(ByteWriter& to, const std::string& pem) {
  to.le16(static_cast<std::uint16_t>(pem.size())).bytes(as_bytes(pem));
}

std::optional<std::string> read_pem(ByteReader& from) {
  const std::size_t size = from.le16();
  if (size == 0 || size > kMaxPem) return std::nullopt;
  const ByteView bytes = from.take(size);
  if (bytes.empty()) return std::nullopt;
  return std::string(as_text(bytes));
}

}  // namespace

Bytes EnrolmentRequest::payload() const {
  ByteWriter writer;
  writer.le32(kEnrolmentMagic).le16(kEnrolmentVersion).bytes(secret);
  append_pem(writer, request);
  return writer.take();
}

std::expected<EnrolmentRequest, Reason> EnrolmentRequest::parse(ByteView payload) {
  ByteReader reader(payload);
  if (reader.le32() != kEnrolmentMagic) return std::unexpected(Reason::bad_magic);
  if (reader.le16() < kEnrolmentVersion) return std::unexpected(Reason::no_common_version);
  EnrolmentRequest request;
  const ByteView secret = reader.take(Token::kSecretBytes);
  std::ranges::copy(secret, request.secret.begin());
  auto pem = read_pem(reader);
  if (!reader.ok() || !pem) return std::unexpected(Reason::bad_frame);
  request.request = std::move(*pem);
  return request;
}

Bytes EnrolmentGrant::payload() const {
  ByteWriter writer;
  append_pem(writer, certificate);
  append_pem(writer, authority);
  append_text(writer, name);
  return writer.take();
}

std::expected<EnrolmentGrant, Reason> EnrolmentGrant::parse(ByteView payload) {
  ByteReader reader(payload);
  auto certificate = read_pem(reader);
  if (!certificate) return std::unexpected(Reason::bad_frame);
  auto authority = read_pem(reader);
  if (!authority) return std::unexpected(Reason::bad_frame);
  EnrolmentGrant grant{.certificate = std::move(*certificate), .authority = std::move(*authority)};
  grant.name = read_text(reader);
  if (!reader.ok()) return std::unexpected(Reason::bad_frame);
  return grant;
}

std::expected<std::unique_ptr<EnrolmentClient>, std::string> EnrolmentClient::start(EventLoop& loop, UniqueFd socket,
                                                                                    const Token& token, std::string key,
                                                                                    const std::string& name,
                                                                                    Done done) {
  const auto context = TlsContext::make(
      {.role = TlsContext::Role::agent, .peer = TlsContext::Peer::anybody, .protocols = {kEnrolmentProtocol}});
  if (!context) return std::unexpected(context.error());
  auto request = make_request(key, name);
  if (!request) return std::unexpected(request.error());
  return std::unique_ptr<EnrolmentClient>(new EnrolmentClient(loop, std::move(socket), *context, token, std::move(key),
                                                              std::move(*request), std::move(done)));
}

EnrolmentClient::EnrolmentClient(EventLoop& loop, UniqueFd socket, const TlsContext& context, const Token& token,
                                 std::string key, std::string request, Done done)
    : token_(token),
      key_(std::move(key)),
      request_(std::move(request)),
      done_(std::move(done)),
      patience_(loop.make_timer([this] { finish(std::unexpected("the host does not answer")); })),
      connection_(loop, std::move(socket), context, *this) {
  patience_->arm(kPatience);
}

/// The authority's certificate, if the far end is a gate of the one that the token names.
std::expected<std::string, std::string> EnrolmentClient::authority_of(const TlsPeer& peer) const {
  for (const std::string& certificate : peer.chain) {
    const auto facts = inspect(certificate);
    if (!facts || !token_.names(facts->fingerprint)) continue;
    const auto good = verify(peer.chain.front(), certificate, CertificateUse::gate);
    if (!good) return std::unexpected("the far end is no gate of the host that made the token: " + good.error());
    return certificate;
  }
  return std::unexpected("the far end is not the host that made the token");
}

void EnrolmentClient::tls_established(const TlsPeer& peer) {
  auto authority = authority_of(peer);
  if (!authority) return finish(std::unexpected(std::move(authority.error())));
  if (peer.protocol != kEnrolmentProtocol) return finish(std::unexpected("the host does not enrol anybody"));
  authority_ = std::move(*authority);
  output_ = make_frame(FrameType::enrol, {}, EnrolmentRequest{.secret = token_.secret, .request = request_}.payload());
  connection_.output_ready();
}

void EnrolmentClient::tls_received(ByteView bytes) {
  if (!done_) return;
  reader_.feed(bytes);
  const auto frame = reader_.next();
  if (!frame) return finish(std::unexpected("the host has sent what is no answer"));
  if (*frame) finish(answered(**frame));
}

std::expected<Enrolled, std::string> EnrolmentClient::answered(const Frame& frame) const {
  if (frame.header.type == FrameType::refuse) {
    const auto ending = Ending::parse(frame.payload);
    if (!ending) return std::unexpected("the host has refused, for no reason that can be read");
    return std::unexpected(fmt::format("the host has refused: {}{}{}", name(ending->reason),
                                       ending->text.empty() ? "" : ": ", ending->text));
  }
  const auto grant = frame.header.type == FrameType::enrolled ? EnrolmentGrant::parse(frame.payload)
                                                              : std::unexpected(Reason::unknown_frame);
  if (!grant) return std::unexpected("the host has sent what is no answer");
  const Credentials own{.certificate = grant->certificate, .key = key_};
  // It is our key's, and of the authority we know; or it is of no use.
  const auto usable = TlsContext::make({.role = TlsContext::Role::agent, .own = own, .authority = authority_});
  if (!usable) return std::unexpected("the host's certificate is of no use: " + usable.error());
  const auto good = verify(grant->certificate, authority_, CertificateUse::seat);
  if (!good) return std::unexpected("the host's certificate is of no use: " + good.error());
  return Enrolled{.credentials = own, .authority = authority_, .name = grant->name};
}

void EnrolmentClient::finish(std::expected<Enrolled, std::string> result) {
  patience_->cancel();
  connection_.finish({});
  if (const Done done = std::exchange(done_, nullptr)) done(std::move(result));
}

void EnrolmentClient::tls_closed(const std::string& why) {
  finish(std::unexpected(why.empty() ? "the host has ended the connection" : why));
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "gate/documents.hpp"
#include "link/enrolment.hpp"
#include "link/lane_connection.hpp"

namespace periplex::gate {

/// A connection of somebody without a certificate, who has a token: the gate's side of the enrolment protocol
/// (docs/protocol.md, "Enrolment"). It asks, and passes on what it is told.
class Enrolment final : public link::TlsUser {
 public:
  /// Whether the question could be asked.
  using Ask = std::function<bool(const link::EnrolmentRequest&)>;
  /// From TLS to the answer.
  static constexpr Nanoseconds kPatience = std::chrono::seconds(20);

  /// `connection` outlives this.
  Enrolment(EventLoop& loop, link::LaneConnection& connection, std::uint64_t id, Ask ask);

  [[nodiscard]] std::uint64_t id() const { return id_; }
  void answer(const EnrolmentVerdict& verdict, const std::string& authority);

 private:
  void tls_established(const link::TlsPeer&) override {}
  void tls_received(ByteView bytes) override;
  Bytes tls_output(std::size_t) override { return {}; }
  void tls_closed(const std::string&) override;
  void refuse(link::Reason reason, std::string_view text = {});

  link::LaneConnection& connection_;
  const std::uint64_t id_;
  Ask ask_;
  bool over_ = false;
  bool asked_ = false;
  link::FrameReader reader_;
  std::unique_ptr<Timer> patience_;
};

}  // namespace periplex::gate

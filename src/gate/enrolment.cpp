// SPDX-License-Identifier: Apache-2.0
#include "gate/enrolment.hpp"

#include <utility>

namespace periplex::gate {

Enrolment::Enrolment(EventLoop& loop, link::LaneConnection& connection, std::uint64_t id, Ask ask)
    : connection_(connection),
      id_(id),
      ask_(std::move(ask)),
      patience_(loop.make_timer([this] { refuse(link::Reason::silent, asked_ ? "the host takes too long" : ""); })) {
  patience_->arm(kPatience);
}

void Enrolment::tls_received(ByteView bytes) {
  if (over_) return;
  // There is one question, and nothing may follow it.
  if (asked_) return refuse(link::Reason::unexpected_frame);
  reader_.feed(bytes);
  const auto frame = reader_.next();
  if (!frame) return refuse(frame.error());
  if (!*frame) return;
  if ((*frame)->header.type != link::FrameType::enrol) return refuse(link::Reason::unexpected_frame);
  const auto request = link::EnrolmentRequest::parse((*frame)->payload);
  if (!request) return refuse(request.error());
  asked_ = true;
  if (!ask_(*request)) refuse(link::Reason::busy, "too many want this at once");
}

void Enrolment::answer(const EnrolmentVerdict& verdict, const std::string& authority) {
  if (over_ || !asked_) return;
  if (verdict.certificate.empty() || verdict.certificate.size() > link::kMaxPem || authority.size() > link::kMaxPem) {
    return refuse(link::Reason::not_allowed, verdict.why);
  }
  over_ = true;
  patience_->cancel();
  const link::EnrolmentGrant grant{.certificate = verdict.certificate, .authority = authority, .name = verdict.name};
  connection_.detach(link::make_frame(link::FrameType::enrolled, {}, grant.payload()));
}

void Enrolment::refuse(link::Reason reason, std::string_view text) {
  if (std::exchange(over_, true)) return;
  patience_->cancel();
  connection_.refuse(reason, text);
}

void Enrolment::tls_closed(const std::string&) {
  over_ = true;
  patience_->cancel();
}

}  // namespace periplex::gate

// SPDX-License-Identifier: Apache-2.0
#include "attachment/message_stream.hpp"

#include <utility>

#include "attachment/limits.hpp"
#include "base/check.hpp"
#include "base/trace.hpp"

namespace periplex::attachment {
namespace {

constexpr std::size_t kMessageHeader = 1 + 8 + 8;  // kind, number, acknowledgement
constexpr std::size_t kLongestFrame = kMessageHeader + kMaxMessageBytes;
constexpr std::size_t kLongestHello = 1 + Hello::kMaxSize;

Bytes frame(FrameKind kind, ByteView body) {
  return ByteWriter()
      .le32(static_cast<std::uint32_t>(1 + body.size()))
      .u8(static_cast<std::uint8_t>(kind))
      .bytes(body)
      .take();
}

}  // namespace

std::string_view name(StreamError error) {
  switch (error) {
    case StreamError::bad_hello:
      return "the far side does not speak this protocol";
    case StreamError::no_common_version:
      return "the far side speaks no version of the protocol that this side does";
    case StreamError::bad_frame:
      return "the far side has sent a broken frame";
    case StreamError::out_of_order:
      return "the far side has sent a message out of order";
    case StreamError::bad_acknowledgement:
      return "the far side has acknowledged what it cannot have got";
  }
  return "?";
}

MessageStream::MessageStream(User& user, Scheduler& scheduler, InstanceSource instances, std::uint32_t capabilities)
    : user_(user),
      instances_(std::move(instances)),
      own_capabilities_(capabilities),
      timer_(scheduler.make_timer([this] { acknowledge(); })),
      reader_(kLongestHello),
      own_(instances_()) {}

void MessageStream::connected() {
  if (phase_ == Phase::dead) return;
  ++connection_;
  reader_.reset();
  reader_.set_longest(kLongestHello);
  end_greeting();
  greet();
}

void MessageStream::disconnected() {
  if (phase_ == Phase::dead) return;
  ++connection_;
  phase_ = Phase::unconnected;
  timer_->cancel();
  end_greeting();
}

/// What held for one connection only.
void MessageStream::end_greeting() {
  begun_anew_ = skipping_ = false;
  if (std::exchange(abandoning_, false)) drop_session();
}

void MessageStream::greet() {
  phase_ = Phase::greeting;
  const Hello hello{
      .capabilities = own_capabilities_, .own = own_, .expected = far_.value_or(kNoInstance), .received = received_};
  user_.send_bytes(frame(FrameKind::hello, hello.encode()));
}

void MessageStream::receive(ByteView bytes) {
  const std::uint64_t connection = connection_;
  const auto current = [&] {
    return connection == connection_ && (phase_ == Phase::greeting || phase_ == Phase::open);
  };
  while (current()) {
    const auto next = reader_.take(bytes);
    if (!next) return fail(phase_ == Phase::greeting ? StreamError::bad_hello : StreamError::bad_frame);
    if (!*next) break;
    on_frame(**next);
  }
  if (current() && phase_ == Phase::open) acknowledge_soon();
}

void MessageStream::on_frame(ByteView frame) {
  const auto kind = static_cast<FrameKind>(frame.front());
  const ByteView body = frame.subspan(1);
  if (phase_ == Phase::greeting) {
    if (kind == FrameKind::hello) return on_hello(body);
    return skipping_ ? void() : fail(StreamError::bad_hello);
  }
  switch (kind) {
    case FrameKind::message:
      return on_message(body);
    case FrameKind::acknowledge: {
      ByteReader in(body);
      const std::uint64_t number = in.le64();
      if (!in.ok()) return fail(StreamError::bad_frame);
      if (!take_acknowledgement(number)) fail(StreamError::bad_acknowledgement);
      return;
    }
    case FrameKind::abandon:
      return start_anew();
    case FrameKind::hello:
      break;
  }
  fail(StreamError::bad_frame);
}

void MessageStream::on_hello(ByteView body) {
  const auto theirs = Hello::parse(body);
  if (!theirs) return fail(StreamError::bad_hello);
  if (!common_version({}, *theirs)) return fail(StreamError::no_common_version);
  const bool we_know_them = !far_ || *far_ == theirs->own;
  const bool they_know_us = theirs->expected == kNoInstance || theirs->expected == own_;
  skipping_ = false;
  if (we_know_them && they_know_us) return std::exchange(abandoning_, false) ? abandon() : enter_session(*theirs);
  // The second HELLO of each names nobody, so that only a far side that lies comes here twice.
  if (begun_anew_) return fail(StreamError::bad_hello);
  start_anew();
}

void MessageStream::start_anew() {
  phase_ = Phase::greeting;
  begun_anew_ = true;
  abandoning_ = false;
  const bool had_session = told_begin_;
  const std::uint64_t connection = connection_;
  drop_session();
  trace::line("attachment", "nothing to resume: {}", had_session ? "the session is lost" : "a session begins");
  if (had_session) user_.on_lost();
  if (connection == connection_ && phase_ == Phase::greeting) greet();
}

void MessageStream::drop_session() {
  own_ = instances_();
  far_.reset();
  told_begin_ = false;
  sent_ = received_ = 0;
  log_.clear();
  log_bytes_ = unacknowledged_ = 0;
  timer_->cancel();
}

void MessageStream::forget() {
  switch (phase_) {
    case Phase::dead:
      return;
    case Phase::unconnected:
      return drop_session();
    case Phase::open:
      return abandon();
    case Phase::greeting:
      break;
  }
  if (!told_begin_) return;
  // Our HELLO has named the session already: only the far side's tells what becomes of it.
  abandoning_ = true;
  told_begin_ = false;
  log_.clear();
  log_bytes_ = 0;
}

/// Both have greeted, or are in a session, that is not to go on.
void MessageStream::abandon() {
  phase_ = Phase::greeting;
  begun_anew_ = skipping_ = true;
  drop_session();
  user_.send_bytes(frame(FrameKind::abandon, {}));
  greet();
}

void MessageStream::enter_session(const Hello& theirs) {
  const std::uint64_t kept_from = sent_ - log_.size();  // all up to here has been acknowledged
  if (theirs.received < kept_from || !take_acknowledgement(theirs.received)) {
    return fail(StreamError::bad_acknowledgement);
  }
  far_ = theirs.own;
  far_capabilities_ = theirs.capabilities;
  phase_ = Phase::open;
  replayed_ += log_.size();
  unacknowledged_ = 0;  // our HELLO has told what had come
  reader_.set_longest(kLongestFrame);
  const std::uint64_t connection = connection_;
  const std::uint64_t first = sent_ - log_.size() + 1;
  // Whoever takes the bytes may find the connection lost.
  for (std::size_t i = 0; i < log_.size() && connection == connection_; ++i) transmit(first + i, log_[i]);
  if (connection != connection_) return;
  if (std::exchange(told_begin_, true)) {
    user_.on_resume();
  } else {
    user_.on_begin();
  }
}

void MessageStream::on_message(ByteView body) {
  ByteReader in(body);
  const std::uint64_t number = in.le64();
  const std::uint64_t acknowledged = in.le64();
  if (!in.ok() || in.remaining() == 0) return fail(StreamError::bad_frame);
  if (number != received_ + 1) return fail(StreamError::out_of_order);
  if (!take_acknowledgement(acknowledged)) return fail(StreamError::bad_acknowledgement);
  if (phase_ != Phase::open) return;  // whoever heard of the room has ended it
  received_ = number;
  unacknowledged_ += body.size();
  user_.on_message(in.rest());
}

/// The far side has got everything up to `number`. An older acknowledgement than the last tells nothing.
bool MessageStream::take_acknowledgement(std::uint64_t number) {
  if (number > sent_) return false;
  const bool had_room = has_room();
  while (!log_.empty() && sent_ - log_.size() < number) {
    log_bytes_ -= log_.front().size();
    log_.pop_front();
  }
  if (!had_room && has_room() && phase_ == Phase::open) user_.on_room();
  return true;
}

void MessageStream::send(Bytes payload) {
  PERIPLEX_CHECK(!payload.empty() && payload.size() <= kMaxMessageBytes);
  if (!told_begin_ || phase_ == Phase::dead) return;
  log_bytes_ += payload.size();
  log_.push_back(std::move(payload));
  ++sent_;
  if (phase_ == Phase::open) transmit(sent_, log_.back());
}

void MessageStream::transmit(std::uint64_t number, ByteView payload) {
  unacknowledged_ = 0;
  timer_->cancel();
  user_.send_bytes(ByteWriter()
                       .le32(static_cast<std::uint32_t>(kMessageHeader + payload.size()))
                       .u8(static_cast<std::uint8_t>(FrameKind::message))
                       .le64(number)
                       .le64(received_)
                       .bytes(payload)
                       .take());
}

void MessageStream::acknowledge() {
  if (phase_ != Phase::open || unacknowledged_ == 0) return;
  unacknowledged_ = 0;
  timer_->cancel();
  user_.send_bytes(frame(FrameKind::acknowledge, ByteWriter().le64(received_).take()));
}

void MessageStream::acknowledge_soon() {
  if (unacknowledged_ >= kAcknowledgeBytes) return acknowledge();
  if (unacknowledged_ > 0 && !timer_->armed()) timer_->arm(kAcknowledgeDelay);
}

void MessageStream::fail(StreamError why) {
  if (phase_ == Phase::dead) return;
  phase_ = Phase::dead;
  timer_->cancel();
  log_.clear();
  log_bytes_ = 0;
  user_.on_failed(why);
}

}  // namespace periplex::attachment

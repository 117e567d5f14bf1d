// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "attachment/frame_reader.hpp"
#include "attachment/hello.hpp"
#include "attachment/instance_id.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace periplex::attachment {

/// What the far side did that ends a stream for good.
enum class StreamError : std::uint8_t {
  bad_hello,            ///< the first frame is no HELLO of this protocol
  no_common_version,    ///< neither speaks a version of the other
  bad_frame,            ///< a frame that is too long, empty, of no known kind, or not where it may be
  out_of_order,         ///< a message has not the number that is next
  bad_acknowledgement,  ///< it has got what was never sent, or forgets what it had got
};
[[nodiscard]] std::string_view name(StreamError error);

/// Messages over connections that may be cut at any byte: each of them arrives exactly once and in order, as long as
/// both processes live. Sans-I/O.
///
/// What holds at all times, for each direction:
/// - Messages are numbered from 1 on, without gaps, through all connections of a session.
/// - A sender keeps every message until the far side has acknowledged it, or one after it.
/// - A receiver takes only the message whose number is one above that of the last it took; all others end the stream.
///   It acknowledges only what it has handed to its user.
/// - On a new connection both say whom they know and what they have got. If each of them is whom the other knows, each
///   sends again what the other has not got, in order and before anything else: nothing is lost, nothing comes twice.
/// - If they are not, there is nothing to resume. Both learn it from the same two HELLOs: whoever had a session drops
///   it (`on_lost`), both take a new instance, and begin a new session on the same connection with another HELLO. The
///   same happens where one of them says, in an open session, that it has given it up (`forget`).
/// - An instance names one history. It is never used again once its state has been dropped, so that the counts of two
///   sides that know each other always belong together.
///
/// What is kept is bounded: `has_room` says whether another message may be added, which is up to the user to ask.
/// Messages that must go at all times, and are few, may go beyond.
class MessageStream {
 public:
  /// Who uses the stream. Called from inside `connected` and `receive`, and may call back, but must not destroy it.
  class User {
   public:
    /// Bytes for the present connection.
    virtual void send_bytes(Bytes bytes) = 0;
    /// A session begins: the far side has got nothing, and has sent nothing.
    virtual void on_begin() = 0;
    /// The session goes on over a new connection; all that the far side had missed has been sent again.
    virtual void on_resume() = 0;
    /// The session is at its end: the far side is another instance, or knows another. `on_begin` follows.
    virtual void on_lost() = 0;
    virtual void on_message(ByteView payload) = 0;
    /// There is room again where there was none.
    virtual void on_room() = 0;
    /// The far side has broken the protocol. The stream is dead: it sends and tells nothing any more.
    virtual void on_failed(StreamError why) = 0;

   protected:
    ~User() = default;
  };

  static constexpr std::size_t kMaxLogBytes = std::size_t{32} << 20;
  static constexpr std::size_t kMaxLogMessages = 16'384;
  /// An acknowledgement of its own goes out when this much has come, or after this time; each message carries one too.
  static constexpr std::size_t kAcknowledgeBytes = std::size_t{128} << 10;
  static constexpr Nanoseconds kAcknowledgeDelay = std::chrono::milliseconds(10);

  MessageStream(User& user, Scheduler& scheduler, InstanceSource instances, std::uint32_t capabilities);
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  ~MessageStream() = default;

  /// There is a connection, in place of one that there may have been.
  void connected();
  /// Bytes of the present connection, in pieces of any size.
  void receive(ByteView bytes);
  void disconnected();

  /// Sends `payload`, now or on the next connection. Ignored while there is no session.
  void send(Bytes payload);
  [[nodiscard]] bool has_room() const { return log_bytes_ < kMaxLogBytes && log_.size() < kMaxLogMessages; }
  /// Gives the session up: nothing of it is sent any more, and the far side hears `on_lost`. A new session begins, on
  /// this connection or the next one. `on_lost` is not called here.
  void forget();
  /// The user cannot go on with what it got: the stream is dead. `on_failed` is not called.
  void kill() { phase_ = Phase::dead; }

  /// Whether messages flow just now.
  [[nodiscard]] bool open() const { return phase_ == Phase::open; }
  /// Of the far side, from its last HELLO.
  [[nodiscard]] std::uint32_t capabilities() const { return far_capabilities_; }
  [[nodiscard]] std::size_t log_bytes() const { return log_bytes_; }
  [[nodiscard]] std::size_t log_messages() const { return log_.size(); }
  /// Messages that were sent again after a cut.
  [[nodiscard]] std::uint64_t replayed() const { return replayed_; }

 private:
  enum class Phase : std::uint8_t { unconnected, greeting, open, dead };

  void greet();
  void end_greeting();
  void on_frame(ByteView frame);
  void on_hello(ByteView body);
  void on_message(ByteView body);
  void start_anew();
  void drop_session();
  void enter_session(const Hello& theirs);
  void abandon();
  [[nodiscard]] bool take_acknowledgement(std::uint64_t number);
  void transmit(std::uint64_t number, ByteView payload);
  void acknowledge();
  void acknowledge_soon();
  void fail(StreamError why);

  User& user_;
  const InstanceSource instances_;
  const std::uint32_t own_capabilities_;
  std::unique_ptr<Timer> timer_;
  FrameReader reader_;
  Phase phase_ = Phase::unconnected;
  std::uint64_t connection_ = 0;  // counts them, so that a loop notices that its own is over
  bool begun_anew_ = false;       // on this connection
  bool skipping_ = false;         // what comes before the far side's next HELLO belongs to a session that is no more
  bool abandoning_ = false;       // the session that our HELLO has named was given up since
  std::uint32_t far_capabilities_ = 0;

  InstanceId own_;
  std::optional<InstanceId> far_;  // whom this has a session with
  bool told_begin_ = false;
  std::uint64_t sent_ = 0;      // number of the last message
  std::uint64_t received_ = 0;  // of the far side's last message
  std::deque<Bytes> log_;       // messages sent_ - size + 1 … sent_
  std::size_t log_bytes_ = 0;
  std::size_t unacknowledged_ = 0;  // bytes that came since our last acknowledgement
  std::uint64_t replayed_ = 0;
};

}  // namespace periplex::attachment

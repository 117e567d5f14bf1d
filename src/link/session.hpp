// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "link/arbiter.hpp"
#include "link/channel.hpp"
#include "link/datagram_way.hpp"
#include "link/frame.hpp"
#include "link/greeting.hpp"
#include "link/keep_alive.hpp"
#include "link/messages.hpp"

namespace periplex::link {

/// Who owns a session's connections and uses its channels.
///
/// Called on the loop only, also from inside calls to the session; it may call the session from inside these calls,
/// `receive` excepted, but must not destroy it there.
class SessionHost {
 public:
  /// `Session::take(lane)` has something. Said once, until a `take` has given less than it was asked for.
  virtual void output_ready(Lane lane) = 0;
  /// The session has done with the connection of `lane`: send `last_words`, then close it. The session knows nothing
  /// of that connection any more.
  virtual void drop(Lane lane, Bytes last_words, Reason why) = 0;
  /// `lane` works: its connection is the one that was given to `GateSession::attach` or `AgentSession::connected` last.
  virtual void lane_up(Lane lane) = 0;

  /// A byte stream begins in `channel`, in both directions at its first byte: the first time, and again whenever the
  /// channel's lane has come back after a loss.
  virtual void channel_started(ChannelId channel) = 0;
  /// The stream is lost with its lane: what was sent may have arrived or not, what is on its way will not.
  virtual void channel_stopped(ChannelId channel) = 0;
  virtual void channel_data(ChannelId channel, ByteView bytes) = 0;
  /// There is room again, after `Session::send` had taken less than it was given.
  virtual void channel_writable(ChannelId channel) = 0;
  /// The far end, or the loss of what the channel was bound to, has closed it.
  virtual void channel_closed(ChannelId channel, const Ending& why) = 0;

  /// A datagram for the way that the session was told of last (`AgentSession::datagrams_connected`,
  /// `GateSession::bind`); it may be lost. Must not call the session.
  virtual void send_datagram(Bytes bytes) { (void)bytes; }
  /// Datagrams get through from now on, or do not (`Session::datagrams`).
  virtual void datagrams_changed() {}
  /// The session has done with the way that it was told of, and takes nothing from there any more.
  virtual void datagrams_over() {}

  /// The session is over, and with it all its channels and connections (`drop` was called for each). `by_far_end`: it
  /// was the far end that said so.
  virtual void session_ended(const Ending& why, bool by_far_end) = 0;

 protected:
  ~SessionHost() = default;
};

/// A session between an agent and the gate, as either end sees it (docs/protocol.md). Sans-I/O: connections are calls
/// to `receive` and `take`.
///
/// What the far end may do is bounded: channels, peripherals, the bytes of a frame, of a channel's stream that wait for
/// our user (Windows), and of frames that wait for the far end to read (kMaxControl). Whatever it does wrong ends the
/// session with a reason; nothing it sends is answered with more than it sent, save the greeting.
class Session {
 public:
  static constexpr std::size_t kMaxChannels = 64;
  static constexpr std::size_t kMaxPeripherals = 128;
  static constexpr std::size_t kMaxControl = 256 * 1024;

  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // What the connections of the lanes bring and want.
  void receive(Lane lane, ByteView bytes);
  void disconnected(Lane lane);
  /// The next frames for `lane`: whole ones, until there are `limit` bytes or a little more, or none are left. What is
  /// most urgent is chosen here, so the transport should ask late and for little (16 to 64 KiB).
  [[nodiscard]] Bytes take(Lane lane, std::size_t limit);
  /// What has come by the way for datagrams. That it came from the far end of this session is for the caller to see to.
  void receive_datagram(ByteView bytes);

  // Channels. An unknown id is ignored, and has no room.
  /// How many bytes `send` takes now; none while the channel does not run.
  [[nodiscard]] std::size_t room(ChannelId channel) const;
  /// Queues as much of `bytes` as there is room for, and returns how much that was.
  std::size_t send(ChannelId channel, ByteView bytes);
  /// The user has done with so many bytes of what `channel_data` gave it, so the far end may send as many again. What
  /// is left of a stream that was stopped need not be told.
  void consumed(ChannelId channel, std::size_t bytes);
  /// Nothing of the channel is heard any more, and what it had queued is not sent.
  void close(ChannelId channel, const Ending& why);

  /// Ends the session.
  void end(const Ending& why);

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool established() const { return agreement_.has_value(); }
  [[nodiscard]] const std::optional<Agreement>& agreement() const { return agreement_; }
  [[nodiscard]] SessionId id() const { return id_; }
  [[nodiscard]] bool up(Lane lane) const { return at(lane).phase == Phase::up; }
  /// Whether datagrams repeat the urgent channels' streams just now, and what has become of them so far.
  [[nodiscard]] const DatagramWay& datagrams() const { return way_; }
  /// Whether the gate takes datagrams for the present connection of the real-time lane.
  [[nodiscard]] bool takes_datagrams() const { return up(Lane::realtime) && way_number_ != 0; }
  [[nodiscard]] std::optional<Nanoseconds> round_trip(Lane lane) const { return at(lane).keep_alive.round_trip(); }
  /// What the far end calls itself.
  [[nodiscard]] const std::string& far_name() const { return far_name_; }
  /// The open channels, running or not.
  [[nodiscard]] const std::map<ChannelId, Channel>& channels() const { return channels_; }

 protected:
  enum class Phase : std::uint8_t {
    down,
    waiting,   ///< agent: connected; HELLO must wait for the other lane's WELCOME
    greeting,  ///< agent: HELLO is sent
    up,
  };
  struct LaneState {
    LaneState(Scheduler& scheduler, KeepAlive::Hooks hooks) : keep_alive(scheduler, std::move(hooks)) {}

    Phase phase = Phase::down;
    unsigned connection = 0;  ///< counts them, so that one can be told from the next
    FrameReader reader;
    ByteWriter control;
    std::optional<std::uint64_t> pong;
    bool announced = false;
    Arbiter arbiter;
    std::array<ChannelId, kPriorities> last_served{};
    ChannelId highest;  ///< channel that was ever open on this lane
    KeepAlive keep_alive;
  };

  Session(Scheduler& scheduler, SessionHost& host, Settings settings);

  /// A frame that only one role understands, while its lane is up.
  virtual void handle_own(Lane lane, const Frame& frame) = 0;
  /// A frame that arrives in phase greeting.
  virtual void handle_greeting(Lane lane, const Frame& frame) = 0;
  /// Agent and gate differ in what they make of a datagram that says whose it is.
  virtual void handle_bind(const Datagram& datagram) { (void)datagram; }
  /// A lane has been lost; its state is `down` again.
  virtual void lane_lost(Lane lane) { (void)lane; }

  [[nodiscard]] LaneState& at(Lane lane) { return lanes_[index(lane)]; }
  [[nodiscard]] const LaneState& at(Lane lane) const { return lanes_[index(lane)]; }
  [[nodiscard]] bool any(Phase phase) const;
  [[nodiscard]] Lane lane_of(Priority priority) const;
  [[nodiscard]] Channel* find(ChannelId id);
  [[nodiscard]] Channel* find_by_peripheral(const std::string& id);

  /// Queues a frame about the session or a channel.
  void control(Lane lane, FrameType type, ChannelId channel, ByteView payload);
  void notify(Lane lane);
  /// `lane` has been greeted; what has to be the first on it is queued.
  void lane_works(Lane lane);
  void start_stream(Channel& channel);
  /// Forgets the connection of `lane`; with `why`, tells the host to drop it.
  void lose(Lane lane, std::optional<Reason> why);
  /// The far end broke the protocol.
  void fail(Reason reason, std::string text = {});
  void finish(const Ending& why, bool by_far_end);
  /// Forgets a channel without a word to the far end, and tells the host.
  void channel_gone(ChannelId id, const Ending& why);

  SessionHost& host_;
  Settings settings_;
  std::optional<Agreement> agreement_;
  Windows far_windows_;
  std::string far_name_;
  SessionId id_;
  Secret secret_{};
  std::chrono::milliseconds ping_interval_;
  std::chrono::milliseconds hold_;
  std::map<ChannelId, Channel> channels_;
  DatagramWay way_;
  std::uint32_t way_number_ = 0;  ///< of the real-time lane's present connection, in WELCOME

 private:
  [[nodiscard]] KeepAlive::Hooks hooks(Lane lane);
  void handle(Lane lane, const Frame& frame);
  void handle_channel(Lane lane, const Frame& frame);
  void handle_data(Channel& channel, const Frame& frame);
  void handle_credit(Channel& channel, ByteView payload);
  [[nodiscard]] bool owes_credit(const Channel& channel) const;
  void append_credits(Lane lane, ByteWriter& out);
  /// Appends the next piece of some channel of `lane`; false if there is none.
  bool append_piece(Lane lane, ByteWriter& out);
  [[nodiscard]] Channel* next_channel(Lane lane);
  void append_data(Channel& channel, ByteWriter& out);

  std::array<LaneState, kLanes> lanes_;
  std::unique_ptr<Timer> hold_timer_;
  Compression compression_;
  bool ended_ = false;
};

}  // namespace periplex::link

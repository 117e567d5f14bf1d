// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/time.hpp"
#include "link/channel.hpp"
#include "link/datagram.hpp"

namespace periplex::link {

struct DatagramCounters {
  std::uint64_t sent = 0;      ///< pieces, those without bytes excepted
  std::uint64_t received = 0;  ///< likewise
  std::uint64_t first = 0;     ///< of these: brought bytes before the stream did
  std::uint64_t repeated = 0;  ///< how often something was sent again because nobody acknowledged it
};

/// A session's way for datagrams: repeats on it what the streams of its urgent channels carry, so that neither a lost
/// packet nor a full queue of TCP delays a key. Sans-I/O; each end has one, which lives as often as its session's
/// real-time lane is up and whoever has the sockets finds a way.
///
/// The streams carry everything all the same. So the way may lose, double, delay and reorder, and need not be there.
/// What it carries is bounded in size (`Datagram::kMaxSize`) and in bytes a second (`kRate`, of which a sixteenth of a
/// second's worth may go at once). Probes tell whether it works; a way that does not is not used, but probed.
class DatagramWay {
 public:
  static constexpr Nanoseconds kProbeInterval = std::chrono::milliseconds(500);
  static constexpr Nanoseconds kProbeAgain = std::chrono::milliseconds(150);  ///< while one is not answered
  static constexpr unsigned kMaxUnanswered = 8;                               ///< then it does not work
  /// For how long an acknowledgement waits for bytes that it could go with.
  static constexpr Nanoseconds kAcknowledgeDelay = std::chrono::milliseconds(10);
  static constexpr std::size_t kRate = 512 * 1024;  ///< bytes a second
  static constexpr std::size_t kBurst = kRate / 16;
  /// For how long something is waited for before it is sent again, in any case; it doubles each time.
  static constexpr Nanoseconds kShortestWait = std::chrono::milliseconds(20);
  static constexpr Nanoseconds kLongestWait = std::chrono::seconds(1);

  struct Hooks {
    /// Must not call back.
    std::function<void(Bytes)> send;
    /// These bytes of a channel's stream have come first here; they are accounted for. May do anything but destroy
    /// this.
    std::function<void(ChannelId, ByteView)> deliver;
    /// `works` has changed. Likewise.
    std::function<void()> changed;
  };

  DatagramWay(Scheduler& scheduler, std::map<ChannelId, Channel>& channels, Hooks hooks);

  /// Agent: datagrams may travel from now on. They do once the gate has answered to `binding`.
  void open(const Binding& binding);
  /// Gate: the far end has shown whose they are.
  void open();
  void close();
  /// Answers a probe.
  void answer(std::uint64_t number);
  void receive(const Datagram& datagram);

  /// The channel's stream has been given these bytes to send.
  void sent(Channel& channel, ByteView bytes);
  /// The channel's stream has brought something.
  void streamed(Channel& channel);

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] bool works() const { return works_; }
  /// Empty before the first answer.
  [[nodiscard]] std::optional<Nanoseconds> round_trip() const { return round_trip_; }
  [[nodiscard]] const DatagramCounters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kRemembered = 8;  // probes whose answer tells the round trip

  void start();
  void set_works(bool works);
  void acknowledge_all(Nanoseconds delay);
  void probe();
  void answered(std::uint64_t number);
  void piece(const Datagram& datagram);
  void flush();
  void send_pieces(Channel& channel);
  void send_piece(Channel& channel, std::uint64_t offset, ByteView content);
  void acknowledge();
  void repeat();
  [[nodiscard]] Nanoseconds patience(const Channel& channel) const;
  void arm_repeat();
  [[nodiscard]] std::size_t allowance();
  [[nodiscard]] Channel* find(ChannelId id);

  Scheduler& scheduler_;
  std::map<ChannelId, Channel>& channels_;
  Hooks hooks_;
  std::unique_ptr<Timer> probe_timer_;
  std::unique_ptr<Timer> flush_timer_;
  std::unique_ptr<Timer> acknowledge_timer_;
  std::unique_ptr<Timer> repeat_timer_;
  bool open_ = false;
  bool works_ = false;
  std::optional<Binding> binding_;  // agent, until it is answered
  unsigned unanswered_ = 0;
  std::uint64_t last_probe_ = 0;
  std::array<Nanoseconds, kRemembered> probed_at_{};
  std::optional<Nanoseconds> round_trip_;
  std::size_t allowance_ = kBurst;
  Nanoseconds allowed_at_{};
  DatagramCounters counters_;
};

/// Whether a channel's stream is repeated in datagrams.
[[nodiscard]] inline bool is_urgent(const Channel& channel) {
  return channel.priority != Priority::bulk;
}

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/time.hpp"
#include "link/messages.hpp"

namespace periplex::link {

/// A datagram: a channel's number, then a message (docs/protocol.md, "Datagrams").
struct Datagram {
  /// Fits every path that IPv6 allows, with DTLS and UDP around it.
  static constexpr std::size_t kMaxSize = 1200;
  static constexpr std::size_t kHeaderSize = 12;
  static constexpr std::size_t kMaxContent = kMaxSize - kHeaderSize;

  enum class Type : std::uint8_t {
    message = 1,
    probe = 2,   ///< is there a way? `sequence` is any number
    answer = 3,  ///< there is: the probe's number
  };

  Type type = Type::message;
  ChannelId channel;
  std::uint32_t sequence = 0;
  ByteView content;

  [[nodiscard]] Bytes bytes() const;
  /// Empty for what is none; datagrams are simply lost then, as the network loses them.
  [[nodiscard]] static std::optional<Datagram> parse(ByteView bytes);
};

/// One channel's numbered real-time messages, over datagrams where they get through and over the session's stream
/// where they do not. Sans-I/O; each end has one per channel.
///
/// Messages may be lost, but never come twice or out of order. One that arrives early waits for those before it, for
/// at most kMaxWait and with at most kMaxEarly others; then what is missing is given up. One that comes after that is
/// dropped. Both ways carry the same numbers, and these go on when the channel's stream begins again: neither a change
/// of the way nor a resumed session is seen by the user, save for what was lost.
class DatagramLane {
 public:
  static constexpr std::size_t kMaxEarly = 16;
  static constexpr Nanoseconds kMaxWait = std::chrono::milliseconds(20);
  static constexpr Nanoseconds kProbeInterval = std::chrono::milliseconds(500);
  static constexpr unsigned kMaxUnanswered = 3;

  struct Hooks {
    std::function<void(Bytes)> send_datagram;
    std::function<void(Message)> send_on_stream;  ///< Session::send_message
    std::function<void(ByteView)> deliver;
  };
  struct Counters {
    std::uint64_t delivered = 0;
    std::uint64_t late = 0;     ///< dropped: it came twice, or after it had been given up
    std::uint64_t missing = 0;  ///< given up
  };

  DatagramLane(Scheduler& scheduler, ChannelId channel, Hooks hooks);

  /// There may be a way for datagrams from now on: it is probed, and used once a probe has been answered.
  void begin_datagrams();
  void end_datagrams();

  /// Sends the next message; at most Message::kMaxSize bytes.
  void send(ByteView content);
  void datagram_received(ByteView bytes);
  void message_received(const Message& message);

  [[nodiscard]] bool uses_datagrams() const { return way_open_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void probe();
  void arrived(std::uint32_t sequence, ByteView content);
  void deliver_in_order();
  void give_up_first_gap();

  ChannelId channel_;
  Hooks hooks_;
  std::unique_ptr<Timer> probe_timer_;
  std::unique_ptr<Timer> gap_timer_;
  bool way_open_ = false;
  unsigned unanswered_ = 0;
  std::uint32_t probe_number_ = 0;
  std::uint32_t next_to_send_ = 0;
  std::uint32_t expected_ = 0;
  std::map<std::uint32_t, Bytes> early_;  ///< by distance from `base_`, so that numbers may wrap
  std::uint32_t base_ = 0;
  Counters counters_;
};

}  // namespace periplex::link

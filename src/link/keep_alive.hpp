// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.hpp"

namespace periplex::link {

/// Tells whether a connection is still alive, and how long its round trip is.
///
/// A connection whose far end vanished without a word (a cable, a NAT that forgot, a changed address) stays open for
/// many minutes. So each end sends a PING per interval, and gives a connection up once `kMaxSilent` intervals in a row
/// have passed without a single byte (`kMaxSilentYetThere` where the far end was heard by another way meanwhile: then
/// the network loses packets of this connection, and waiting is better than another one). Intervals are counted, not
/// clocks compared: a process that was stopped for a minute finds one interval passed, and hears first what has arrived
/// meanwhile.
class KeepAlive {
 public:
  static constexpr unsigned kMaxSilent = 4;
  static constexpr unsigned kMaxSilentYetThere = 16;

  struct Hooks {
    std::function<void(std::uint64_t token)> ping;
    std::function<void()> dead;
  };

  KeepAlive(Scheduler& scheduler, Hooks hooks);
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

  /// Watches from now on. Without `pings` it only listens.
  void start(Nanoseconds interval, bool pings);
  void stop();

  /// Something has arrived.
  void heard() { silent_ = 0; }
  /// Something has arrived from the same far end, by another way.
  void heard_elsewhere() { silent_elsewhere_ = 0; }
  /// PONG has arrived.
  void answered(std::uint64_t token);

  /// Smoothed as TCP does it (RFC 6298 §2); empty before the first PONG.
  [[nodiscard]] std::optional<Nanoseconds> round_trip() const { return smoothed_; }

 private:
  void tick();
  void send_ping();

  Scheduler& scheduler_;
  Hooks hooks_;
  std::unique_ptr<Timer> timer_;
  Nanoseconds interval_{};
  bool pings_ = false;
  unsigned silent_ = 0;                         // intervals without a byte
  unsigned silent_elsewhere_ = kMaxSilent + 1;  // intervals without anything by another way
  std::uint64_t token_ = 0;
  std::optional<Nanoseconds> sent_at_;  // of the ping with `token_`, while it is not answered
  std::optional<Nanoseconds> smoothed_;
};

}  // namespace periplex::link

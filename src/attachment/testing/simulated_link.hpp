// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <utility>

#include "attachment/instance_id.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace periplex::attachment::testing {

/// Instances that tests can tell apart: 1, 2, 3 …
class CountedInstances {
 public:
  [[nodiscard]] InstanceSource source() {
    return [last = last_] {
      InstanceId id{};
      const std::uint64_t value = ++*last;
      std::ranges::copy(std::as_bytes(std::span(&value, 1)), id.begin());
      return id;
    };
  }

 private:
  std::shared_ptr<std::uint64_t> last_ = std::make_shared<std::uint64_t>(0);
};

/// One end of a `SimulatedLink`, as functions of whoever is there.
struct LinkEnd {
  std::function<void()> connected;
  std::function<void(ByteView)> receive;
  std::function<void()> disconnected;
};

/// A connection with a delay, in virtual time, that can be cut at any byte.
///
/// Bytes arrive `delay` after they were sent, no more of them in a second than `rate`, cut into pieces of any size. A
/// cut gives each end a random part of what was under way, and loses the rest.
class SimulatedLink {
 public:
  SimulatedLink(Scheduler& scheduler, Nanoseconds one_way, std::uint32_t seed)
      : delay(one_way), scheduler_(scheduler), random_(seed) {
    for (std::size_t side = 0; side < 2; ++side) {
      directions_[side].timer = scheduler.make_timer([this, side] { arrive(side); });
    }
  }

  Nanoseconds delay;
  double rate = 0;  ///< bytes per second each way; 0: as many as one likes
  LinkEnd ends[2];
  std::uint64_t carried = 0;  ///< bytes that arrived
  unsigned cuts = 0;

  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] std::size_t under_way() const {
    std::size_t bytes = 0;
    for (const Direction& direction : directions_) {
      for (const Chunk& chunk : direction.chunks) bytes += chunk.bytes.size();
    }
    return bytes;
  }

  void connect() {
    up_ = true;
    ends[0].connected();
    if (up_) ends[1].connected();
  }

  /// End `side` sends.
  void send(std::size_t side, Bytes bytes) {
    if (!up_) return;
    Direction& direction = directions_[side];
    const double seconds = rate > 0 ? static_cast<double>(bytes.size()) / rate : 0;
    direction.free_at =
        std::max(direction.free_at, scheduler_.now()) + Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    direction.chunks.push_back({direction.free_at + delay, std::move(bytes)});
    if (!direction.timer->armed()) direction.timer->arm(direction.chunks.front().due - scheduler_.now());
  }

  void cut() {
    if (!up_) return;
    ++cuts;
    for (std::size_t side = 0; side < 2; ++side) {
      Bytes rest;
      for (const Chunk& chunk : directions_[side].chunks)
        rest.insert(rest.end(), chunk.bytes.begin(), chunk.bytes.end());
      rest.resize(std::uniform_int_distribution<std::size_t>(0, rest.size())(random_));
      directions_[side].chunks.clear();
      directions_[side].timer->cancel();
      // Whatever the ends answer is lost.
      deliver(side, rest);
    }
    up_ = false;
    for (Direction& direction : directions_) {
      direction.chunks.clear();
      direction.free_at = {};
      direction.timer->cancel();
    }
    for (LinkEnd& end : ends) end.disconnected();
  }

 private:
  struct Chunk {
    Nanoseconds due;
    Bytes bytes;
  };
  struct Direction {
    std::deque<Chunk> chunks;
    Nanoseconds free_at{};
    std::unique_ptr<Timer> timer;
  };

  void arrive(std::size_t side) {
    Direction& direction = directions_[side];
    while (!direction.chunks.empty() && direction.chunks.front().due <= scheduler_.now()) {
      const Bytes bytes = std::move(direction.chunks.front().bytes);
      direction.chunks.pop_front();
      deliver(side, bytes);
    }
    if (!direction.chunks.empty()) direction.timer->arm(direction.chunks.front().due - scheduler_.now());
  }

  void deliver(std::size_t from, ByteView bytes) {
    carried += bytes.size();
    while (!bytes.empty()) {
      const bool small = random_() % 4 == 0;
      const std::size_t most = small ? std::min<std::size_t>(bytes.size(), 7) : bytes.size();
      const std::size_t piece = std::uniform_int_distribution<std::size_t>(1, most)(random_);
      ends[1 - from].receive(bytes.first(piece));
      bytes = bytes.subspan(piece);
    }
  }

  Scheduler& scheduler_;
  std::mt19937 random_;
  bool up_ = false;
  Direction directions_[2];
};

}  // namespace periplex::attachment::testing

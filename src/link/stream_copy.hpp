// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "link/byte_queue.hpp"

namespace periplex::link {

/// One channel's stream, as datagrams repeat it: where both directions are, and what of ours may have to be repeated.
///
/// Positions count from the first byte of the stream, whichever way bytes travel; they begin at 0 with every OPEN. The
/// receiver takes what comes next, from the stream or from a datagram, and nothing else: so bytes neither come twice
/// nor in another order, and a datagram that is lost, late, doubled or out of turn costs nothing but its use.
class StreamCopy {
 public:
  /// Bytes that are kept for datagrams until the far end has them. Where more are under way the stream alone has the
  /// first of them, and datagrams wait until it has brought them.
  static constexpr std::size_t kMaxKept = 64 * 1024;

  struct Piece {
    std::uint64_t offset = 0;
    ByteView bytes;        ///< valid until the next call
    std::size_t news = 0;  ///< how many of them, the last ones, no datagram has carried before
  };

  // What we send.
  /// These bytes are the stream's next. They are kept where there is a way for datagrams.
  void sent(ByteView bytes, bool keep);
  /// The far end has so many bytes; whether that is news.
  bool acknowledged(std::uint64_t count);
  /// What a datagram of at most `limit` bytes should carry next, up to position `end`; empty if there is nothing new.
  /// With `repeat`, bytes before it that are not acknowledged come along, so that a lost datagram is made good by the
  /// next one.
  [[nodiscard]] std::optional<Piece> next(std::size_t limit, std::uint64_t end, bool repeat);
  /// All that is not acknowledged is to be carried again.
  void rewind() { carried_ = kept_from(); }
  /// Where the stream ends that we have been given.
  [[nodiscard]] std::uint64_t end() const { return end_; }
  /// Whether datagrams have carried something that is not acknowledged.
  [[nodiscard]] bool waits() const { return useful() && carried_ > kept_from(); }

  // What comes.
  /// The stream has brought `size` bytes; how many of them, the first ones, datagrams had brought before.
  [[nodiscard]] std::size_t streamed(std::size_t size);
  /// A datagram has brought the bytes [offset, offset + size); how many of them, the last ones, are what comes next. At
  /// most `credit` bytes may be ahead of the stream.
  [[nodiscard]] std::size_t carried(std::uint64_t offset, std::size_t size, std::uint32_t credit);
  /// So many bytes have come, by whatever way.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  /// How many of them the stream has not brought yet.
  [[nodiscard]] std::size_t ahead() const { return static_cast<std::size_t>(received_ - streamed_); }

  // For whoever paces this.
  bool acknowledgement_due = false;
  Nanoseconds waiting_since{};  ///< since when nothing of what `waits` has been acknowledged
  unsigned rewinds = 0;         ///< in a row

 private:
  [[nodiscard]] std::uint64_t kept_from() const { return end_ - kept_.size(); }
  /// Whether the far end can use the first byte that is kept.
  [[nodiscard]] bool useful() const { return acknowledged_ >= kept_from(); }

  ByteQueue kept_;  // the last bytes before end_
  std::uint64_t end_ = 0;
  std::uint64_t carried_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t streamed_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace periplex::link

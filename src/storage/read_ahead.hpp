// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "usb/device/scsi_commands.hpp"

namespace periplex::storage {

struct ReadAheadOptions {
  bool enabled = true;
  std::uint64_t limit = std::uint64_t{16} << 20;  ///< bytes read ahead of one unit's guest, at most
};

struct ReadAheadCounters {
  std::uint64_t hits = 0;           ///< reads of the guest that were served from what was read ahead
  std::uint64_t misses = 0;         ///< those that were not
  std::uint64_t fetched_bytes = 0;  ///< asked for ahead
  std::uint64_t wasted_bytes = 0;   ///< of those, never given to the guest
};

/// Reads ahead of a guest that reads one logical unit sequentially, and serves it from there.
///
/// From the third read on of which each begins where the one before has ended, pieces of what follows are asked for, so
/// many at once as fill the path: twice its shortest round trip times the rate at which pieces come in, up to the
/// limit. The window so doubles each round trip until the path is full, and follows when it becomes slower. Where the
/// round trip has become longer the window shrinks with the rate, until few pieces are on their way; they tell the new
/// one.
///
/// What was read ahead is served only while nobody can have changed it. It is dropped, whether it has arrived or is on
/// its way, before and after anything that might change the medium (`hold`, `release`), whenever `drop` is called, and
/// when it has lain here for `kMaxAge` – a medium that was changed would say so only when it is asked. A piece that
/// fails is dropped with all the others, and whoever waits for it is told to read for himself: so each error is the
/// guest's own.
class ReadAhead final {
 public:
  using BlockRange = usb::device::BlockRange;
  static constexpr unsigned kSequence = 2;  ///< reads that continue their predecessor before any is made ahead
  static constexpr unsigned kMaxMissesInARow = 16;
  static constexpr Nanoseconds kMaxAge = std::chrono::seconds(2);
  /// Of one piece: what USB 2 disks are used to from other hosts, or more if the guest itself reads more at once. Each
  /// costs the far end a command, so less would make small reads slow.
  static constexpr std::uint64_t kPiece = 120 << 10;
  static constexpr std::uint64_t kMaxPiece = 1 << 20;
  static constexpr std::uint32_t kMinBlock = 256;
  static constexpr std::uint32_t kMaxBlock = 1 << 16;

  class Fetcher {
   public:
    /// Asks the disk for `range`; `on_fetched` follows with the ticket that is returned, never from inside.
    virtual std::uint64_t fetch(BlockRange range) = 0;
    /// Nobody wants it any more; `on_fetched` may follow or not.
    virtual void abandon(std::uint64_t ticket) = 0;

   protected:
    ~Fetcher() = default;
  };
  class Reader {
   public:
    virtual void on_prefetched(Bytes data) = 0;
    /// It has to be read for real.
    virtual void on_not_prefetched() = 0;

   protected:
    ~Reader() = default;
  };
  enum class Found : std::uint8_t {
    no,
    here,   ///< in `data`
    later,  ///< the reader will hear
  };

  ReadAhead(const ReadAheadOptions& options, const Clock& clock, Fetcher& fetcher)
      : options_(options), clock_(clock), fetcher_(fetcher) {}

  /// What the unit has; zeros without a medium. Nothing is read beyond it.
  void set_geometry(std::uint32_t block_size, std::uint64_t blocks);

  /// The guest reads `range`.
  [[nodiscard]] Found read(BlockRange range, Reader& reader, Bytes& data);
  /// `reader` does not wait any more.
  void forget(const Reader& reader);
  void on_fetched(std::uint64_t ticket, bool good, Bytes data);

  /// Forgets what was read ahead. Who waits is told to read for himself.
  void drop();
  /// Something that may change the medium is under way from now on, until `release`. It nests.
  void hold();
  void release();

  [[nodiscard]] const ReadAheadCounters& counters() const { return counters_; }
  /// How much is read ahead at once, as of now.
  [[nodiscard]] std::uint64_t window() const;

 private:
  struct Piece {
    std::uint64_t ticket = 0;
    BlockRange range;
    Nanoseconds asked{};
    std::uint64_t delivered_before = 0;  // all bytes that had come in then
    bool alone = false;  // at most one was on its way then: what it took is the path's time, not a queue's
    bool arrived = false;
    Nanoseconds arrived_at{};
    Bytes data;
    std::uint64_t used = 0;  // bytes
    [[nodiscard]] std::uint64_t end() const { return range.lba + range.blocks; }
  };
  struct Waiter {
    BlockRange range;
    Reader* reader;
  };

  void note(BlockRange range);
  void begin_at(BlockRange after);
  void ask(std::uint64_t blocks);
  void pump();
  void measure(const Piece& piece);
  void trim();
  void discard(Piece& piece);
  [[nodiscard]] bool reaches(BlockRange range);
  [[nodiscard]] bool arrived(BlockRange range) const;
  [[nodiscard]] Bytes assemble(BlockRange range);
  [[nodiscard]] std::uint64_t ahead() const;
  [[nodiscard]] std::uint64_t piece_bytes() const { return piece_blocks_ * block_size_; }

  const ReadAheadOptions options_;
  const Clock& clock_;
  Fetcher& fetcher_;
  std::uint32_t block_size_ = 0;
  std::uint64_t blocks_ = 0;
  unsigned held_ = 0;

  // The guest's reads.
  std::uint64_t last_end_ = ~std::uint64_t{0};  // no read begins there
  unsigned sequence_ = 0;
  unsigned misses_in_a_row_ = 0;

  // What is read ahead: pieces without gaps between them, up to `next_`.
  bool active_ = false;
  std::deque<Piece> pieces_;
  std::vector<Waiter> waiters_;
  std::uint64_t position_ = 0;  // the guest has read up to here
  std::uint64_t next_ = 0;
  std::uint64_t piece_blocks_ = 0;

  // The path.
  static constexpr std::size_t kSamples = 16;
  Nanoseconds shortest_{};
  std::array<double, kSamples> rates_{};  // bytes per nanosecond
  std::size_t sample_ = 0;
  std::uint64_t delivered_ = 0;

  ReadAheadCounters counters_;
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "storage/command.hpp"

namespace periplex::storage {

struct WriteBackOptions {
  bool enabled = false;
  std::uint64_t limit = std::uint64_t{8} << 20;  ///< bytes of writes that are reported done and are not yet, at most
};

/// Whether a write to one unit may be reported done when it is sent, and how the guest knows.
///
/// The bytes on the way are a volatile write cache (SBC-3, "Write caching"). A guest is told so by WCE in the caching
/// mode page, which is set, or put there where the disk has none, and must be asked for: to a guest that never reads
/// the page every write is reported done only when the disk has it. One that clears WCE is obeyed.
///
/// Writes reported early are ORDERED, so that nothing overtakes them: SYNCHRONIZE CACHE, a write with FUA and every
/// other command is carried out when they are. One that fails becomes a deferred error (SPC-4 §4.5.5).
class WriteBack final {
 public:
  WriteBack(const WriteBackOptions& options, bool write_protected)
      : options_(options), write_protected_(write_protected) {}

  /// Whether a write of `bytes` may be reported done now.
  [[nodiscard]] bool takes(std::uint64_t bytes) const {
    return options_.enabled && told_ && !switched_off_ && bytes <= options_.limit - on_the_way_;
  }
  void sent(std::uint64_t bytes) { on_the_way_ += bytes; }
  void arrived(std::uint64_t bytes) { on_the_way_ -= bytes; }

  /// Puts WCE into what a MODE SENSE has brought, of which the guest takes at most `room` bytes.
  void on_mode_sense(const Cdb& cdb, std::uint64_t room, Result& result);
  /// The disk has taken the parameter list of a MODE SELECT.
  void on_mode_selected(const Cdb& cdb, ByteView list);
  /// The host is another one, or has forgotten everything.
  void reset() { told_ = switched_off_ = false; }

 private:
  const WriteBackOptions options_;
  const bool write_protected_;
  bool told_ = false;          // the guest has read that there is a cache
  bool switched_off_ = false;  // the guest has cleared WCE
  std::uint64_t on_the_way_ = 0;
};

}  // namespace periplex::storage

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <utility>

#include "storage/cdb_facts.hpp"
#include "storage/remote_target.hpp"

namespace periplex::storage {

/// What a worker keeps of one logical unit between its commands.
class RemoteTarget::Unit final : private ReadAhead::Fetcher {
 public:
  Unit(RemoteTarget& target, std::uint8_t lun, const UnitFacts& facts)
      : read_ahead(target.options_.read_ahead, target.scheduler_, *this),
        write_back(target.options_.write_back, facts.write_protected),
        target_(target),
        lun_(lun) {
    set_geometry(facts.block_size, facts.blocks);
  }

  void set_geometry(std::uint32_t size, std::uint64_t blocks) {
    block_size = size;
    read_ahead.set_geometry(size, blocks);
  }
  /// Tells the guest of `sense` with its next command, unless it will hear the same already.
  void raise(Bytes sense) {
    if (attentions.size() < kMaxAttentions && std::ranges::find(attentions, sense) == attentions.end()) {
      attentions.push_back(std::move(sense));
    }
  }
  [[nodiscard]] Bytes take_attention() {
    Bytes sense = std::move(attentions.front());
    attentions.pop_front();
    return sense;
  }
  /// The oldest error of a write that was reported done; empty if there is none.
  [[nodiscard]] std::optional<Bytes> take_deferred() {
    const auto found =
        std::ranges::find_if(attentions, [](const Bytes& each) { return summarize_sense(each).deferred; });
    if (found == attentions.end()) return std::nullopt;
    Bytes sense = std::move(*found);
    attentions.erase(found);
    return sense;
  }

  ReadAhead read_ahead;
  WriteBack write_back;
  std::uint32_t block_size = 0;     // 0: not known
  std::deque<Bytes> attentions;     // unit attentions and deferred errors that the guest has not seen, oldest first
  std::optional<Bytes> held_sense;  // for the REQUEST SENSE of a bulk-only guest

 private:
  std::uint64_t fetch(ReadAhead::BlockRange range) override {
    const Command command{
        .lun = lun_, .cdb = read_cdb(range), .data = {DataDirection::to_host, range.blocks * block_size}};
    return target_.send({.lun = lun_, .ahead = true}, command);
  }
  void abandon(std::uint64_t ticket) override {
    if (!target_.lost_) target_.carrier_.send(encode(AbortMessage{ticket, true}));
  }

  RemoteTarget& target_;
  const std::uint8_t lun_;
};

}  // namespace periplex::storage

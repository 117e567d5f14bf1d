// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "storage/command.hpp"
#include "storage/identity.hpp"

namespace periplex::storage {

/// Asks each logical unit who it is and what is in it: INQUIRY, TEST UNIT READY, READ CAPACITY (10) and (16), MODE
/// SENSE (6). A unit attention condition that is there before any guest is, is taken.
class UnitProbe final {
 public:
  using Run = std::move_only_function<void(Command command, Done done)>;
  using Finished = std::move_only_function<void(std::vector<UnitFacts> units)>;

  UnitProbe(std::uint8_t last_lun, Run run, Finished finished);
  void start() { inquire(); }

 private:
  using Step = void (UnitProbe::*)(Result result);

  void ask(Bytes cdb, std::uint32_t room, Step then);
  void inquire();
  void on_inquiry(Result result);
  void test_ready();
  void on_ready(Result result);
  void on_capacity_10(Result result);
  void on_capacity_16(Result result);
  void ask_mode();
  void on_mode(Result result);
  void next_unit();

  const std::uint8_t last_lun_;
  Run run_;
  Finished finished_;
  std::vector<UnitFacts> units_;
  unsigned attempts_ = 0;
};

/// What MODE SENSE (6) or (10) data say of the caching mode page (SBC-3, "Caching mode page"): the offset of the byte
/// with WCE; empty if the page is not among them.
[[nodiscard]] std::optional<std::size_t> find_write_cache(ByteView mode_data, bool ten_byte);
inline constexpr std::byte kWriteCacheEnable{0x04};

}  // namespace periplex::storage

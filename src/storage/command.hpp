// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "base/bytes.hpp"
#include "base/strong_id.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/scsi_inquiry.hpp"
#include "usb/device/scsi_target.hpp"
#include "usb/device/sense.hpp"

/// SCSI commands as whole values: what crosses the network, and what the far end carries out.
namespace periplex::storage {

using usb::device::Cdb;
using usb::device::DataDirection;
using usb::device::DataStage;
using usb::device::ScsiStatus;
using usb::device::Sense;

/// The largest data stage of one command, in bytes: what our own disks say in their Block Limits page, and far more
/// than any driver uses.
inline constexpr std::uint32_t kMaxData = std::uint32_t{32} << 20;
static_assert(kMaxData == usb::device::kMaxTransferLength);
/// "The ADDITIONAL SENSE LENGTH field shall be less than or equal to 244" (SPC-4, "Sense data"): 252 bytes in all.
inline constexpr std::size_t kMaxSense = 252;
inline constexpr std::uint8_t kMaxLun = 15;  ///< bCBWLUN has four bits

using CommandId = StrongId<struct CommandIdTag, std::uint64_t>;

/// A command with everything it needs.
struct Command {
  std::uint8_t lun = 0;
  /// SAM-5 ORDERED: begins when all older ones have ended, and all younger ones wait for it. Otherwise SIMPLE.
  bool ordered = false;
  Bytes cdb;       ///< 1 to 16 bytes
  DataStage data;  ///< what the host expects; at most `kMaxData`
  Bytes data_out;  ///< as long as `data` says, if that is from the host
};

/// How a command has ended.
enum class Outcome : std::uint8_t {
  ended = 0,    ///< by a status
  aborted = 1,  ///< because somebody asked for it
  lost = 2,     ///< the disk is gone
};

struct Result {
  Outcome outcome = Outcome::ended;
  ScsiStatus status = ScsiStatus::good;
  Bytes sense;                ///< in whatever format the disk gave them; may be empty
  Bytes data_in;              ///< what meant something, not what was padded
  std::uint32_t residue = 0;  ///< expected bytes that were not moved, or meant nothing

  [[nodiscard]] bool good() const { return outcome == Outcome::ended && status == ScsiStatus::good; }
};

using Done = std::move_only_function<void(Result)>;

[[nodiscard]] inline Result failure(const Sense& sense) {
  return {.status = ScsiStatus::check_condition, .sense = sense.fixed_format()};
}

/// What a program may ask of sense data without knowing their format (SPC-4, "Sense data": response codes 70h to 73h).
struct SenseSummary {
  std::uint8_t key = 0;
  std::uint8_t asc = 0;
  std::uint8_t ascq = 0;
  bool deferred = false;  ///< about an earlier command (71h, 73h)
};
[[nodiscard]] SenseSummary summarize_sense(ByteView sense);
/// The same sense data as a deferred error (SPC-4 §4.5.5).
[[nodiscard]] Bytes as_deferred(Bytes sense);

}  // namespace periplex::storage

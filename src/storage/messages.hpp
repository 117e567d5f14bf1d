// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <variant>

#include "base/bytes.hpp"
#include "storage/command.hpp"
#include "storage/identity.hpp"

/// The messages between a worker (`RemoteTarget`) and an agent (`TargetServer`): one for a command with its data, one
/// for its outcome with its data.
///
/// All integers are little-endian; what is reserved is sent as 0 and not looked at. A message ends where its fields
/// end: one that is shorter or longer is refused. Tags are the worker's; each is used once in the life of a carrier.
/// How they travel is the carrier's business: `attached/parts.hpp`.
///
/// Worker to agent                                       Agent to worker
///   COMMAND  0  u8  01h                                   RESULT   0  u8  82h
///            1  u8  logical unit                                   1  u8  outcome: 0 ended, 1 aborted, 2 lost
///            2  u8  bit 0: data to host, 1: from host,             2  u8  SCSI status
///                   7: ORDERED                                     3  u8  length s of sense data, at most 252
///            3  u8  length n of the CDB, 1 to 16                   4  u32 residue
///            4  u32 expected length of the data                    8  u64 tag
///            8  u64 tag                                           16      sense data, s bytes
///           16      CDB, n bytes                                16+s      data to host: all the rest
///         16+n      data from host, if any: all the rest
///   ABORT    0  u8  02h                                   IDENTITY 0  u8  81h
///            1  u8  bit 0: only if it has not begun                1  u8  version of this protocol, 1
///            2  u16 reserved, u32 reserved                         2  u8  speed (usb::Speed)
///            8  u64 tag                                            3  u8  bit 0: the agent speaks UAS to the disk
///   RESET    0  u8  03h                                            4  u16 idVendor, u16 idProduct, u16 bcdDevice
///            1  u8  logical unit                                  10  u8  number of units, 1 to 16; u8 reserved
///            2  u16 reserved, u32 reserved                        12      manufacturer, product, serial number:
///            8  u64 tag                                                   each u8 length, UTF-8
///                                                                  …      each unit: u8 flags (bit 0: write protected,
///                                                                         1: write cache), u32 block size, u64 number
///                                                                         of blocks, u8 length of INQUIRY data, at
///                                                                         most 36, INQUIRY data
///
/// IDENTITY is the agent's first message, and comes once. Each COMMAND and each RESET is answered by exactly one RESULT
/// with its tag; an ABORT has no answer of its own, as that of the command comes all the same. An ABORT for a tag that
/// has been answered, or never was, means nothing.
namespace periplex::storage {

inline constexpr std::uint8_t kMessagesVersion = 1;
inline constexpr std::size_t kMessageHeader = 16;  ///< of COMMAND, ABORT, RESET and RESULT
/// The longest message: a command with all its data, or its result with all of them.
inline constexpr std::size_t kMaxMessage = kMessageHeader + kMaxSense + kMaxData;
/// Commands without a result that a worker may have, and the bytes of all their data stages. What is more is answered
/// with TASK SET FULL.
inline constexpr std::size_t kMaxCommands = 256;
inline constexpr std::uint64_t kMaxCommandBytes = std::uint64_t{128} << 20;

struct CommandMessage {
  std::uint64_t tag = 0;
  Command command;
};
struct AbortMessage {
  std::uint64_t tag = 0;
  bool only_if_waiting = false;  ///< a command that has begun may go on
};
struct ResetMessage {
  std::uint64_t tag = 0;
  std::uint8_t lun = 0;
};
using WorkerMessage = std::variant<CommandMessage, AbortMessage, ResetMessage>;

struct ResultMessage {
  std::uint64_t tag = 0;
  Result result;
};
using AgentMessage = std::variant<DiskIdentity, ResultMessage>;

enum class MessageError : std::uint8_t {
  unknown_type,
  bad_length,   ///< too short, or too long for what its fields say
  bad_field,    ///< a value that cannot be
  bad_version,  ///< another version of this protocol
};

[[nodiscard]] Bytes encode(std::uint64_t tag, const Command& command);
[[nodiscard]] Bytes encode(const AbortMessage& message);
[[nodiscard]] Bytes encode(const ResetMessage& message);
[[nodiscard]] Bytes encode(std::uint64_t tag, const Result& result);
/// Texts, INQUIRY data and units beyond the bounds are cut.
[[nodiscard]] Bytes encode(const DiskIdentity& identity);

[[nodiscard]] std::expected<WorkerMessage, MessageError> decode_worker_message(ByteView message);
[[nodiscard]] std::expected<AgentMessage, MessageError> decode_agent_message(ByteView message);

}  // namespace periplex::storage

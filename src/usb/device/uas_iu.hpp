// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <variant>

#include "base/bytes.hpp"
#include "usb/device/scsi_commands.hpp"
#include "usb/device/sense.hpp"

/// The information units of USB Attached SCSI (UAS-3 clause 6, "USB attached SCSI information units").
namespace periplex::usb::device {

/// IU ID.
enum class UasIuId : std::uint8_t {
  command = 0x01,
  sense = 0x03,
  response = 0x04,
  task_management = 0x05,
  read_ready = 0x06,
  write_ready = 0x07,
};

/// TASK ATTRIBUTE of a COMMAND IU (SAM-5, "Task attributes"). There is no ACA here.
enum class UasTaskAttribute : std::uint8_t { simple = 0, head_of_queue = 1, ordered = 2 };

/// TASK MANAGEMENT FUNCTION (SAM-5 clause 7). Other values are kept as they came.
enum class UasFunction : std::uint8_t {
  abort_task = 0x01,
  abort_task_set = 0x02,
  clear_task_set = 0x04,
  logical_unit_reset = 0x08,
  i_t_nexus_reset = 0x10,
  clear_aca = 0x40,
  query_task = 0x80,
  query_task_set = 0x81,
  query_asynchronous_event = 0x82,
};

/// RESPONSE CODE of a RESPONSE IU.
enum class UasResponse : std::uint8_t {
  task_management_complete = 0x00,
  invalid_information_unit = 0x02,
  not_supported = 0x04,
  succeeded = 0x08,
  incorrect_lun = 0x09,
  overlapped_tag = 0x0a,
};

/// The COMMAND IU. COMMAND PRIORITY is not looked at, as SAM-5 allows.
struct UasCommandIu {
  static constexpr std::size_t kSize = 32;                   ///< without ADDITIONAL CDB BYTES
  static constexpr std::size_t kMaxSize = kSize + 0x3f * 4;  ///< with as many as there can be
  static constexpr std::uint8_t kAbsentLun = 0xff;           ///< stands for every number but 0

  std::uint16_t tag = 0;
  UasTaskAttribute attribute = UasTaskAttribute::simple;
  std::uint8_t lun = 0;
  std::array<std::byte, Cdb::kMaxSize> cdb = {};  ///< no command of ours has a longer one
};

/// The TASK MANAGEMENT IU.
struct UasTaskManagementIu {
  static constexpr std::size_t kSize = 16;

  std::uint16_t tag = 0;
  UasFunction function = UasFunction::abort_task;
  std::uint16_t task_tag = 0;  ///< TAG OF TASK TO BE MANAGED
  std::uint8_t lun = 0;
};

/// What a host may send on the command pipe.
using UasIu = std::variant<UasCommandIu, UasTaskManagementIu>;

/// Why bytes are no such IU: what can be said of it is the tag it carries, if it is long enough for one.
struct UasIuError {
  std::optional<std::uint16_t> tag;
};

/// Takes the bytes of one transfer. What stands behind the IU, and reserved bits, are not looked at.
[[nodiscard]] std::expected<UasIu, UasIuError> parse_uas_iu(ByteView bytes);

/// A SENSE IU; sense data in fixed format, as the Control mode page says (D_SENSE=0).
[[nodiscard]] Bytes encode_sense_iu(std::uint16_t tag, ScsiStatus status, const std::optional<Sense>& sense);
/// The same with sense data as they are.
[[nodiscard]] Bytes encode_sense_iu(std::uint16_t tag, ScsiStatus status, ByteView sense);
[[nodiscard]] Bytes encode_response_iu(std::uint16_t tag, UasResponse response);
/// `id` is `read_ready` or `write_ready`.
[[nodiscard]] Bytes encode_ready_iu(std::uint16_t tag, UasIuId id);

}  // namespace periplex::usb::device

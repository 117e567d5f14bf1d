// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "usb/device/scsi_commands.hpp"
#include "usb/device/testing/disk_host.hpp"
#include "usb/device/uas_iu.hpp"

namespace periplex::usb::device::testing {

/// An information unit from the status pipe, taken apart.
struct StatusIu {
  UasIuId id{};
  std::uint16_t tag = 0;
  ScsiStatus status{};              ///< SENSE
  std::array<unsigned, 3> sense{};  ///< SENSE: key, ASC, ASCQ; zeros without sense data
  UasResponse response{};           ///< RESPONSE
  friend bool operator==(const StatusIu&, const StatusIu&) = default;
};

/// A host with one configured disk that uses USB Attached SCSI, at SuperSpeed with streams.
class UasHost final : public DiskHost {
 public:
  static constexpr EndpointAddress kCommand{4, Direction::out};
  static constexpr EndpointAddress kStatus{3, Direction::in};
  static constexpr EndpointAddress kDataIn{1, Direction::in};
  static constexpr EndpointAddress kDataOut{2, Direction::out};
  static constexpr std::size_t kStatusRoom = 112;

  explicit UasHost(Speed speed = Speed::super, const StorageOptions& options = default_options(),
                   std::size_t blocks = 1024)
      : DiskHost(options, speed, blocks), streams_(is_usb3(speed)) {
    configure();
  }
  static StorageOptions default_options() { return {.serial = "0123456789ABCDEF", .transport = StorageTransport::uas}; }

  void configure() {
    (void)control(0x00, 0x09, 1, 0, 0);
    (void)choose(1);
    (void)run(1, {std::byte{0}});  // takes the power-on attention
  }
  Answer choose(std::uint16_t alternate_setting) { return control(0x01, 0x0b, alternate_setting, 0, 0); }

  /// Each submits without waiting.
  TransferId command(Bytes iu) { return submit(kCommand, TransferData::owned(std::move(iu))); }
  TransferId status(std::uint16_t tag, std::size_t room = kStatusRoom) {
    return submit(kStatus, TransferData::room(room), stream(tag));
  }
  TransferId data_in(std::uint16_t tag, std::size_t room) {
    return submit(kDataIn, TransferData::room(room), stream(tag));
  }
  TransferId data_out(std::uint16_t tag, Bytes content) {
    return submit(kDataOut, TransferData::owned(std::move(content)), stream(tag));
  }

  static Bytes command_iu(std::uint16_t tag, const Bytes& cdb, UasTaskAttribute attribute = UasTaskAttribute::simple,
                          std::uint64_t lun = 0) {
    ByteWriter out;
    out.u8(1).u8(0).be16(tag).u8(static_cast<std::uint8_t>(attribute)).zeros(3).be64(lun);
    out.bytes(cdb).zeros(16 - cdb.size());
    return out.take();
  }
  static Bytes management_iu(std::uint16_t tag, UasFunction function, std::uint16_t task_tag = 0,
                             std::uint64_t lun = 0) {
    ByteWriter out;
    out.u8(5).u8(0).be16(tag).u8(static_cast<std::uint8_t>(function)).u8(0).be16(task_tag).be64(lun);
    return out.take();
  }

  static StatusIu parse(const Bytes& bytes) {
    ByteReader in(bytes);
    StatusIu iu{.id = static_cast<UasIuId>(in.u8())};
    in.skip(1);
    iu.tag = in.be16();
    if (iu.id == UasIuId::sense) {
      in.skip(2);
      iu.status = static_cast<ScsiStatus>(in.u8());
      in.skip(7);
      const ByteView data = in.take(in.be16());
      const auto at = [data](std::size_t i) { return std::to_integer<unsigned>(data[i]); };
      if (data.size() == 18) iu.sense = {at(2), at(12), at(13)};
    }
    if (iu.id == UasIuId::response) {
      in.skip(3);
      iu.response = static_cast<UasResponse>(in.u8());
    }
    return in.ok() ? iu : StatusIu{};
  }
  StatusIu iu(TransferId id) { return parse(get(id).data); }

  static StatusIu good(std::uint16_t tag) { return {.id = UasIuId::sense, .tag = tag}; }
  static StatusIu failed(std::uint16_t tag, std::array<unsigned, 3> sense) {
    return {.id = UasIuId::sense, .tag = tag, .status = ScsiStatus::check_condition, .sense = sense};
  }
  static StatusIu responded(std::uint16_t tag, UasResponse response) {
    return {.id = UasIuId::response, .tag = tag, .response = response};
  }
  static StatusIu ready(std::uint16_t tag, UasIuId id) { return {.id = id, .tag = tag}; }

  /// Whole commands, as a driver runs them; each returns what ended it.
  StatusIu run(std::uint16_t tag, const Bytes& cdb) {
    const TransferId ended = status(tag);
    (void)get(command(command_iu(tag, cdb)));
    return iu(ended);
  }
  StatusIu run_in(std::uint16_t tag, const Bytes& cdb, std::size_t room) {
    return run_with_data(tag, cdb, [&] { return data_in(tag, room); });
  }
  StatusIu run_out(std::uint16_t tag, const Bytes& cdb, const Bytes& content) {
    return run_with_data(tag, cdb, [&] { return data_out(tag, content); });
  }
  StatusIu manage(std::uint16_t tag, UasFunction function, std::uint16_t task_tag = 0, std::uint64_t lun = 0) {
    const TransferId ended = status(tag);
    (void)get(command(management_iu(tag, function, task_tag, lun)));
    return iu(ended);
  }

  Answer data;  ///< of the last command with data

 private:
  [[nodiscard]] std::uint16_t stream(std::uint16_t tag) const { return streams_ ? tag : std::uint16_t{0}; }

  /// With streams the data transfer waits before the command is there; without, it follows the announcement.
  template <typename Submit>
  StatusIu run_with_data(std::uint16_t tag, const Bytes& cdb, Submit submit_data) {
    TransferId ended = status(tag);
    std::optional<TransferId> moved;
    if (streams_) moved = submit_data();
    (void)get(command(command_iu(tag, cdb)));
    if (!streams_) {
      const StatusIu first = iu(ended);
      if (first.id == UasIuId::sense) return first;
      ended = status(tag);
      moved = submit_data();
    }
    data = get(*moved);
    return iu(ended);
  }

  const bool streams_;
};

}  // namespace periplex::usb::device::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "machine/disk_settings.hpp"
#include "machine/specification.hpp"
#include "usb/speed.hpp"

namespace periplex::machine {

/// Sectors `first` to `last`, both included.
struct SectorRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const SectorRange&, const SectorRange&) = default;
};

/// How a disk takes its commands.
enum class Transport : std::uint8_t {
  bulk_only,  ///< one after the other
  uas,        ///< USB Attached SCSI: many at once
};
[[nodiscard]] std::string_view name(Transport transport);

/// A disk. Its bytes are behind an open descriptor that comes with the description; `image` only names them.
struct Storage {
  std::string image;
  bool readonly = false;
  bool removable = false;
  std::vector<SectorRange> bad_sectors;  ///< answer MEDIUM ERROR, for tests
  Transport transport = Transport::bulk_only;
  friend bool operator==(const Storage&, const Storage&) = default;
};
struct Keyboard {
  friend bool operator==(const Keyboard&, const Keyboard&) = default;
};
/// Absolute positions.
struct Tablet {
  friend bool operator==(const Tablet&, const Tablet&) = default;
};
/// Relative movements.
struct Mouse {
  friend bool operator==(const Mouse&, const Mouse&) = default;
};

/// A serial port; its other end is a pseudo-terminal of this computer, whose master comes with the description.
struct Serial {
  std::string link;  ///< a symbolic link to the terminal, made while the port is plugged in; may be empty
  friend bool operator==(const Serial&, const Serial&) = default;
};
/// A sound card. What it plays goes to an open descriptor and what it records comes from one; these only name them. An
/// empty name: it cannot do that. The descriptor of `playback` comes first.
struct Sound {
  std::string playback;
  std::string capture;
  friend bool operator==(const Sound&, const Sound&) = default;
};
/// A device at a USB/IP server. The connection to that comes with the description as a stream socket, or a listening
/// socket does, to which the server connects; `host` and `listen` only name them, and one of them is empty.
struct Usbip {
  std::string host;            ///< HOST[:PORT]
  std::string bus_id;          ///< as `usbip list` shows it
  unsigned reports_ahead = 0;  ///< interrupt requests kept at the server; 0: as many as are good
  std::string listen{};        ///< ADDRESS:PORT
  friend bool operator==(const Usbip&, const Usbip&) = default;
};

/// A peripheral at a seat, whose stream a gate brings, again and again (StreamListener). Nothing comes with the
/// description.
struct Seat {
  std::string peripheral;  ///< SEAT/ID
  DiskSettings disk{};     ///< if it is one
  friend bool operator==(const Seat&, const Seat&) = default;
};
/// A device at a usbredir server. The connection to that comes with the description as a stream socket; `host` only
/// names it.
struct Usbredir {
  std::string host;  ///< HOST[:PORT]
  friend bool operator==(const Usbredir&, const Usbredir&) = default;
};

/// What to plug in. What is empty the machine chooses.
struct Description {
  std::string id;
  std::string controller;           ///< name of the controller whose port it goes to
  std::optional<usb::Speed> speed;  ///< empty: the fastest that a controller runs, up to `natural_speed`
  std::variant<Storage, Keyboard, Tablet, Mouse, Serial, Sound, Usbip, Seat, Usbredir> options;

  [[nodiscard]] const Storage* storage() const { return std::get_if<Storage>(&options); }
  [[nodiscard]] const Serial* serial() const { return std::get_if<Serial>(&options); }
  [[nodiscard]] const Sound* sound() const { return std::get_if<Sound>(&options); }
  [[nodiscard]] const Usbip* usbip() const { return std::get_if<Usbip>(&options); }
  [[nodiscard]] const Seat* seat() const { return std::get_if<Seat>(&options); }
  [[nodiscard]] const Usbredir* usbredir() const { return std::get_if<Usbredir>(&options); }
  /// Whether it is somewhere else: a session on a stream socket stands for it. That comes with the description, or
  /// later (seat).
  [[nodiscard]] bool is_remote() const { return usbip() != nullptr || seat() != nullptr || usbredir() != nullptr; }
  /// Whether its far end connects to us, and does so again whenever its connection is lost.
  [[nodiscard]] bool is_dialled_in() const { return usbip() != nullptr && !usbip()->listen.empty(); }
  /// The word a specification begins with.
  [[nodiscard]] std::string_view kind() const;
  friend bool operator==(const Description&, const Description&) = default;
};

/// The one place where a peripheral's settings are checked.
[[nodiscard]] std::expected<Description, SpecificationError> describe(std::string_view kind,
                                                                      std::span<const Setting> settings);

/// The speed that a common device of this kind has; the fastest of those that a kind may have.
[[nodiscard]] usb::Speed natural_speed(const Description& description);

/// Reads `KIND[,KEY=VALUE]...`, as on a command line. A comma inside a value is written twice.
///
///     storage,image=PATH[,transport=bulk-only|uas][,readonly=true][,removable=true][,bad-sectors=A-B+C]
///     keyboard     tablet     mouse
///     serial[,link=PATH]
///     sound[,playback=FILE][,capture=FILE]
///     usbip,host=HOST[:PORT],busid=BUSID[,ahead=N]
///     usbip,listen=ADDRESS:PORT[,busid=BUSID][,ahead=N]
///     usbredir,host=HOST[:PORT]
///     seat,peripheral=SEAT/ID[,terminate=false][,read-ahead=off|SIZE][,write-cache=on|SIZE]
///
/// Every kind also takes id=ID, controller=NAME and speed=super|high|full (sound: not super; usbip, usbredir and seat:
/// no faster than that).
[[nodiscard]] std::expected<Description, SpecificationError> parse_specification(std::string_view text);

/// How many open files have to come with it; a removable disk may also come with its medium.
[[nodiscard]] std::size_t needed_files(const Description& description);
/// Whether the value of setting `key` is a path.
[[nodiscard]] bool names_file(std::string_view key);

/// All settings that describe `description`; `describe` of them gives it back.
[[nodiscard]] std::vector<Setting> settings(const Description& description);

}  // namespace periplex::machine

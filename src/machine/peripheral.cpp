// SPDX-License-Identifier: Apache-2.0
#include "machine/peripheral.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "remote/usbip/imported_device.hpp"

namespace periplex::machine {
namespace {

constexpr std::size_t kMostBadRanges = 64;
constexpr std::string_view kBulkOnly = "bulk-only";
constexpr std::string_view kUas = "uas";
/// Small servers have one device, and this is what most of them call it.
constexpr std::string_view kOnlyBusId = "1-1";
/// A seat's name, a slash, and the longest identifier of the link protocol.
constexpr std::size_t kMaxSeatPeripheral = 64 + 1 + 64;
constexpr std::uint64_t kLastSector = (std::uint64_t{1} << 48) - 1;
// In the order of Description::options.
constexpr std::array kNames = {"storage", "keyboard", "tablet", "mouse",   "serial",
                               "sound",   "usbip",    "seat",   "usbredir"};

std::unexpected<SpecificationError> wrong(std::string text, std::string advice) {
  return std::unexpected(SpecificationError{std::move(text), std::move(advice)});
}

std::optional<usb::Speed> parse_speed(std::string_view text) {
  for (const usb::Speed speed : {usb::Speed::full, usb::Speed::high, usb::Speed::super}) {
    if (text == usb::name(speed)) return speed;
  }
  return std::nullopt;
}

std::optional<std::vector<SectorRange>> parse_ranges(std::string_view text) {
  std::vector<SectorRange> ranges;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('+'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t dash = one.find('-');
    const auto first = parse_number(one.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(one.substr(dash + 1));
    if (!first || !last || *last < *first || *last > kLastSector || ranges.size() == kMostBadRanges)
      return std::nullopt;
    ranges.push_back({*first, *last});
  }
  return ranges;
}

std::string format_ranges(const std::vector<SectorRange>& ranges) {
  std::string text;
  for (const SectorRange& range : ranges) {
    if (!text.empty()) text += '+';
    text += range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
  }
  return text;
}

using Applied = std::expected<void, SpecificationError>;

Applied apply_flag(bool& flag, const Setting& setting) {
  const auto value = parse_bool(setting.value);
  if (!value) {
    return wrong(fmt::format("{}={} is neither true nor false", setting.key, setting.value),
                 fmt::format("write {}=true or {}=false", setting.key, setting.key));
  }
  flag = *value;
  return {};
}

/// Settings that every kind has. Empty: `setting` is not one of them.
std::optional<Applied> apply_common(Description& description, const Setting& setting) {
  if (setting.key == "id") {
    if (!is_valid_id(setting.value)) {
      return wrong(fmt::format("\"{}\" cannot be an id", setting.value), std::string(kIdAdvice));
    }
    description.id = setting.value;
    return Applied{};
  }
  if (setting.key == "controller") {
    if (!is_valid_id(setting.value)) {
      return wrong(fmt::format("\"{}\" cannot be a controller", setting.value),
                   "name one that periplex-machine was started with, as xhci or ehci");
    }
    description.controller = setting.value;
    return Applied{};
  }
  if (setting.key == "speed") {
    const auto speed = parse_speed(setting.value);
    if (!speed) return wrong(fmt::format("there is no speed \"{}\"", setting.value), "use full, high or super");
    description.speed = *speed;
    return Applied{};
  }
  return std::nullopt;
}

Applied apply_storage(Storage& storage, const Setting& setting) {
  if (setting.key == "image") {
    storage.image = setting.value;
    return {};
  }
  if (setting.key == "readonly") return apply_flag(storage.readonly, setting);
  if (setting.key == "removable") return apply_flag(storage.removable, setting);
  if (setting.key == "bad-sectors") {
    auto ranges = parse_ranges(setting.value);
    if (!ranges) {
      return wrong(fmt::format("bad-sectors={} is not a list of sectors", setting.value),
                   "write numbers and ranges of 512-byte sectors with + between them, as in 100+2048-2055");
    }
    storage.bad_sectors = std::move(*ranges);
    return {};
  }
  if (setting.key == "transport") {
    if (setting.value != kBulkOnly && setting.value != kUas) {
      return wrong(fmt::format("there is no transport \"{}\"", setting.value), "use bulk-only or uas");
    }
    storage.transport = setting.value == kUas ? Transport::uas : Transport::bulk_only;
    return {};
  }
  return wrong(fmt::format("storage has no setting \"{}\"", setting.key),
               "its settings are image, id, controller, transport, readonly, removable, speed and bad-sectors");
}

Applied apply_serial(Serial& serial, const Setting& setting) {
  if (setting.key != "link") {
    return wrong(fmt::format("serial has no setting \"{}\"", setting.key),
                 "its settings are link, id, controller and speed");
  }
  serial.link = setting.value;
  return {};
}

Applied apply_sound(Sound& sound, const Setting& setting) {
  if (setting.key != "playback" && setting.key != "capture") {
    return wrong(fmt::format("sound has no setting \"{}\"", setting.key),
                 "its settings are playback, capture, id, controller and speed");
  }
  (setting.key == "playback" ? sound.playback : sound.capture) = setting.value;
  return {};
}

Applied apply_usbip(Usbip& usbip, const Setting& setting) {
  if (setting.key == "host" || setting.key == "listen") {
    (setting.key == "host" ? usbip.host : usbip.listen) = setting.value;
    return {};
  }
  if (setting.key == "busid") {
    if (!remote::usbip::is_bus_id(setting.value)) {
      return wrong(fmt::format("\"{}\" cannot be a bus id", setting.value),
                   "`usbip list -r HOST` shows those there are, like 1-1");
    }
    usbip.bus_id = setting.value;
    return {};
  }
  if (setting.key == "ahead") {
    const auto value = parse_number(setting.value);
    if (!value || *value == 0 || *value > remote::usbip::ImportOptions::kMostReportsAhead) {
      return wrong(fmt::format("ahead={} is no number of requests", setting.value),
                   fmt::format("use 1 to {}, or leave it out", remote::usbip::ImportOptions::kMostReportsAhead));
    }
    usbip.reports_ahead = static_cast<unsigned>(*value);
    return {};
  }
  return wrong(fmt::format("usbip has no setting \"{}\"", setting.key),
               "its settings are host or listen, busid, ahead, id, controller and speed");
}

Applied apply_seat(Seat& seat, const Setting& setting) {
  if (auto applied = apply(seat.disk, setting)) return std::move(*applied);
  if (setting.key != "peripheral") {
    return wrong(fmt::format("seat has no setting \"{}\"", setting.key),
                 "its settings are peripheral, id, controller and speed, and for a disk terminate, read-ahead and "
                 "write-cache");
  }
  const std::size_t slash = setting.value.find('/');
  const bool good =
      slash != std::string::npos && slash > 0 && slash + 1 < setting.value.size() &&
      setting.value.size() <= kMaxSeatPeripheral &&
      std::ranges::all_of(setting.value, [](char character) { return character > ' ' && character <= '~'; });
  if (!good) {
    return wrong(fmt::format("\"{}\" names no peripheral of a seat", setting.value),
                 "write the seat's name, a slash, and the peripheral's id, like desk-7/usb:1-2");
  }
  seat.peripheral = setting.value;
  return {};
}

Applied apply_usbredir(Usbredir& usbredir, const Setting& setting) {
  if (setting.key != "host") {
    return wrong(fmt::format("usbredir has no setting \"{}\"", setting.key),
                 "its settings are host, id, controller and speed");
  }
  usbredir.host = setting.value;
  return {};
}

/// Settings that only one kind has.
Applied apply_own(Description& description, const Setting& setting) {
  if (auto* storage = std::get_if<Storage>(&description.options)) return apply_storage(*storage, setting);
  if (auto* serial = std::get_if<Serial>(&description.options)) return apply_serial(*serial, setting);
  if (auto* sound = std::get_if<Sound>(&description.options)) return apply_sound(*sound, setting);
  if (auto* usbip = std::get_if<Usbip>(&description.options)) return apply_usbip(*usbip, setting);
  if (auto* seat = std::get_if<Seat>(&description.options)) return apply_seat(*seat, setting);
  if (auto* usbredir = std::get_if<Usbredir>(&description.options)) return apply_usbredir(*usbredir, setting);
  return wrong(fmt::format("{} has no setting \"{}\"", description.kind(), setting.key),
               "its settings are id, controller and speed");
}

Applied check_usbip(const Usbip& usbip) {
  if (!usbip.host.empty() && !usbip.listen.empty()) {
    return wrong("either we connect to the USB/IP server, or it connects to us", "give host or listen, not both");
  }
  if (usbip.listen.empty() && (usbip.host.empty() || usbip.bus_id.empty())) {
    return wrong("a USB/IP device needs a host and a bus id",
                 "write usbip,host=HOST,busid=1-1, where `usbip list -r HOST` shows what there is; or "
                 "usbip,listen=ADDRESS:PORT for a server that connects to us");
  }
  return {};
}

/// What must be right about all settings together.
Applied check(const Description& description) {
  if (const Usbip* usbip = description.usbip()) return check_usbip(*usbip);
  if (const Seat* seat = description.seat()) {
    if (seat->peripheral.empty()) {
      return wrong("a peripheral at a seat needs a name", "write seat,peripheral=SEAT/ID");
    }
    if (auto good = check(seat->disk); !good) return good;
  }
  if (const Usbredir* usbredir = description.usbredir(); usbredir != nullptr && usbredir->host.empty()) {
    return wrong("a usbredir device needs a host",
                 "write usbredir,host=HOST:PORT, where `usbredirect --device BUS-DEV --as ADDRESS:PORT` runs");
  }
  const Sound* const sound = description.sound();
  if (sound == nullptr) return {};
  if (sound->playback.empty() && sound->capture.empty()) {
    return wrong("the sound card can neither play nor record", "add playback=FILE, capture=FILE or both");
  }
  if (description.speed && usb::is_usb3(*description.speed)) {
    return wrong("there are no sound cards at super speed", "use speed=high or speed=full");
  }
  return {};
}

std::optional<Description> with_defaults(std::string_view kind) {
  Description description;
  if (kind == "storage") {
    description.options = Storage{};
  } else if (kind == "keyboard") {
    description.options = Keyboard{};
  } else if (kind == "tablet") {
    description.options = Tablet{};
  } else if (kind == "mouse") {
    description.options = Mouse{};
  } else if (kind == "serial") {
    description.options = Serial{};
  } else if (kind == "sound") {
    description.options = Sound{};
  } else if (kind == "usbip") {
    description.options = Usbip{};
  } else if (kind == "seat") {
    description.options = Seat{};
  } else if (kind == "usbredir") {
    description.options = Usbredir{};
  } else {
    return std::nullopt;
  }
  return description;
}

}  // namespace

std::string_view Description::kind() const {
  return kNames[options.index()];
}

std::string_view name(Transport transport) {
  return transport == Transport::uas ? kUas : kBulkOnly;
}

usb::Speed natural_speed(const Description& description) {
  if (description.storage() != nullptr || description.is_remote()) return usb::Speed::super;
  if (description.serial() != nullptr) return usb::Speed::high;
  return usb::Speed::full;
}

std::expected<Description, SpecificationError> describe(std::string_view kind, std::span<const Setting> settings) {
  auto description = with_defaults(kind);
  if (!description) {
    return wrong(fmt::format("there is no peripheral of kind \"{}\"", kind),
                 "use storage, keyboard, tablet, mouse, serial, sound, usbip, usbredir or seat, for example: "
                 "storage,id=disk,image=disk.img");
  }
  for (auto setting = settings.begin(); setting != settings.end(); ++setting) {
    if (std::ranges::count(settings.begin(), setting, setting->key, &Setting::key) != 0) {
      return wrong(fmt::format("\"{}\" is given twice", setting->key), "give every setting once");
    }
    auto common = apply_common(*description, *setting);
    const Applied applied = common ? std::move(*common) : apply_own(*description, *setting);
    if (!applied) return std::unexpected(applied.error());
  }
  if (const Applied checked = check(*description); !checked) return std::unexpected(checked.error());
  if (auto* usbip = std::get_if<Usbip>(&description->options); usbip != nullptr && usbip->bus_id.empty()) {
    usbip->bus_id = kOnlyBusId;
  }
  return std::move(*description);
}

std::expected<Description, SpecificationError> parse_specification(std::string_view text) {
  const auto specification = split_specification(text, "storage,id=disk,image=disk.img");
  if (!specification) return std::unexpected(specification.error());
  auto description = describe(specification->kind, specification->settings);
  if (description && description->storage() != nullptr && description->storage()->image.empty()) {
    return wrong("the disk has no image", "add image=PATH; `truncate -s 1G disk.img` makes an empty one");
  }
  return description;
}

std::size_t needed_files(const Description& description) {
  if (const Storage* storage = description.storage()) return storage->removable ? 0 : 1;
  if (description.serial() != nullptr || description.usbip() != nullptr || description.usbredir() != nullptr) return 1;
  if (const Sound* sound = description.sound())
    return (sound->playback.empty() ? 0u : 1u) + (sound->capture.empty() ? 0u : 1u);
  return 0;
}

bool names_file(std::string_view key) {
  return key == "image" || key == "link" || key == "playback" || key == "capture";
}

std::vector<Setting> settings(const Description& description) {
  std::vector<Setting> list;
  if (!description.id.empty()) list.push_back({"id", description.id});
  if (!description.controller.empty()) list.push_back({"controller", description.controller});
  if (description.speed) list.push_back({"speed", std::string(usb::name(*description.speed))});
  if (const Storage* storage = description.storage()) {
    if (!storage->image.empty()) list.push_back({"image", storage->image});
    list.push_back({"readonly", storage->readonly ? "true" : "false"});
    list.push_back({"removable", storage->removable ? "true" : "false"});
    list.push_back({"transport", std::string(name(storage->transport))});
    if (!storage->bad_sectors.empty()) list.push_back({"bad-sectors", format_ranges(storage->bad_sectors)});
  }
  if (const Serial* serial = description.serial(); serial != nullptr && !serial->link.empty()) {
    list.push_back({"link", serial->link});
  }
  if (const Sound* sound = description.sound()) {
    if (!sound->playback.empty()) list.push_back({"playback", sound->playback});
    if (!sound->capture.empty()) list.push_back({"capture", sound->capture});
  }
  if (const Usbip* usbip = description.usbip()) {
    if (!usbip->host.empty()) list.push_back({"host", usbip->host});
    if (!usbip->listen.empty()) list.push_back({"listen", usbip->listen});
    list.push_back({"busid", usbip->bus_id});
    if (usbip->reports_ahead > 0) list.push_back({"ahead", fmt::format("{}", usbip->reports_ahead)});
  }
  if (const Seat* seat = description.seat()) {
    list.push_back({"peripheral", seat->peripheral});
    for (Setting& setting : settings(seat->disk)) list.push_back(std::move(setting));
  }
  if (const Usbredir* usbredir = description.usbredir()) list.push_back({"host", usbredir->host});
  return list;
}

}  // namespace periplex::machine

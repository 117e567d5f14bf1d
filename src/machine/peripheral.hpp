// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "usb/speed.hpp"

namespace periplex::machine {

/// Sectors `first` to `last`, both included.
struct SectorRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const SectorRange&, const SectorRange&) = default;
};

/// A disk. Its bytes are behind an open descriptor that comes with the description; `image` only names them.
struct Storage {
  std::string image;
  bool readonly = false;
  bool removable = false;
  std::vector<SectorRange> bad_sectors;  ///< answer MEDIUM ERROR, for tests
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

/// What to plug in. An empty id lets the machine choose one.
struct Description {
  std::string id;
  usb::Speed speed = usb::Speed::full;
  std::variant<Storage, Keyboard, Tablet, Mouse> options;

  [[nodiscard]] const Storage* storage() const { return std::get_if<Storage>(&options); }
  /// The word a specification begins with.
  [[nodiscard]] std::string_view kind() const;
  friend bool operator==(const Description&, const Description&) = default;
};

/// One `key=value` of a specification, whether it came from a command line, a TOML table or a JSON object.
struct Setting {
  std::string key;
  std::string value;
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// What is wrong with a specification, and what would be right.
struct SpecificationError {
  std::string text;
  std::string advice;
};

/// The one place where a peripheral's settings are checked.
[[nodiscard]] std::expected<Description, SpecificationError> describe(std::string_view kind,
                                                                      std::span<const Setting> settings);

/// Reads `KIND[,KEY=VALUE]...`, as on a command line. A comma inside a value is written twice.
///
///     storage,image=PATH[,id=ID][,readonly=true][,removable=true][,speed=super|high|full][,bad-sectors=A-B+C]
///     keyboard[,id=ID][,speed=…]     tablet[,id=ID][,speed=…]     mouse[,id=ID][,speed=…]
[[nodiscard]] std::expected<Description, SpecificationError> parse_specification(std::string_view text);

/// All settings that describe `description`; `describe` of them gives it back.
[[nodiscard]] std::vector<Setting> settings(const Description& description);

/// Whether `id` may name a peripheral: a letter or digit, then up to 62 letters, digits, dots, dashes, underscores.
[[nodiscard]] bool is_valid_id(std::string_view id);

}  // namespace periplex::machine

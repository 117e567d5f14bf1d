// SPDX-License-Identifier: Apache-2.0
#include "seat/peripheral.hpp"

#include <fmt/format.h>

namespace periplex::seat {
namespace {

/// Whoever makes a device can write anything into it.
constexpr std::size_t kMostSerialNumber = 126;

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMostSerialNumber)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || (c == '.' && !out.empty());
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

/// As it is, or its beginning and what tells it from others that begin so (FNV-1a).
std::string bounded(std::string id) {
  if (id.size() <= kMostId) return id;
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  const std::string tail = fmt::format("~{:016x}", hash);
  id.resize(kMostId - tail.size());
  return id + tail;
}

std::string model(const Peripheral& peripheral) {
  return fmt::format("{}:{:04x}:{:04x}", name(peripheral.kind), peripheral.vendor, peripheral.product);
}

}  // namespace

std::string_view name(Kind kind) {
  return kind == Kind::usb ? "usb" : "input";
}

std::string identify(const Peripheral& peripheral) {
  if (peripheral.serial_number.empty()) return identify_by_place(peripheral);
  return bounded(fmt::format("{}:{}", model(peripheral), escape(peripheral.serial_number)));
}

std::string identify_by_place(const Peripheral& peripheral) {
  return bounded(fmt::format("{}@{}", model(peripheral), escape(peripheral.place)));
}

std::string Identifiers::take(const Peripheral& peripheral) {
  std::string id = identify(peripheral);
  if (!taken_.insert(id).second) {
    id = identify_by_place(peripheral);
    taken_.insert(id);
  }
  return id;
}

}  // namespace periplex::seat

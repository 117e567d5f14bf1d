// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "base/bytes.hpp"
#include "link/ids.hpp"
#include "link/reason.hpp"

/// The payloads of the frames that follow the greeting (docs/protocol.md, "Frames, one by one").
///
/// `payload` writes one, `parse` reads one. Bytes behind the fields known here are a later version's, and ignored.
namespace periplex::link {

/// What sort of thing a peripheral is. A number that is not in this list comes from a newer release.
enum class Kind : std::uint8_t { other = 0, usb = 1, disk = 2, input = 3, sound = 4, radio = 5 };

/// The speed a USB peripheral runs at. The numbers are the protocol's.
enum class Speed : std::uint8_t { none = 0, low = 1, full = 2, high = 3, super = 4, super_plus = 5 };

/// A peripheral that an agent offers. The texts are for people.
struct Peripheral {
  std::string id;  ///< unique, and the same whenever this peripheral is plugged in again
  Kind kind = Kind::other;
  Speed speed = Speed::none;
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  std::uint8_t device_class = 0;  ///< USB's, of the device or its first interface
  std::uint8_t subclass = 0;
  std::uint8_t protocol = 0;
  std::string name;
  std::string serial;

  bool operator==(const Peripheral&) const = default;
  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Peripheral, Reason> parse(ByteView payload);
};

struct Withdrawal {
  std::string id;
  Reason reason = Reason::withdrawn;

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Withdrawal, Reason> parse(ByteView payload);
};

struct Opening {
  std::string id;
  Priority priority = Priority::bulk;
  bool compression = false;  ///< either end may compress what it sends in this channel

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Opening, Reason> parse(ByteView payload);
};

/// Why something is over: CLOSE, END and REFUSE.
struct Ending {
  Reason reason = Reason::finished;
  std::string text;  ///< for people; may be empty

  [[nodiscard]] Bytes payload() const;
  [[nodiscard]] static std::expected<Ending, Reason> parse(ByteView payload);
};

/// CREDIT: so many bytes more.
[[nodiscard]] Bytes credit_payload(std::uint32_t bytes);
[[nodiscard]] std::expected<std::uint32_t, Reason> parse_credit(ByteView payload);

/// PING and PONG: whatever the sender of the PING likes.
[[nodiscard]] Bytes ping_payload(std::uint64_t token);
[[nodiscard]] std::expected<std::uint64_t, Reason> parse_ping(ByteView payload);

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What a seat has, what of it is offered to machines, and by whose decision.
namespace periplex::seat {

/// What a peripheral of this computer is made of.
enum class Kind : std::uint8_t {
  usb,    ///< a USB device
  input,  ///< a keyboard or pointer that is no USB device, or that is not offered as one
};

[[nodiscard]] std::string_view name(Kind kind);

/// What rules can know of a peripheral that is plugged in.
struct Peripheral {
  Kind kind = Kind::usb;
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
  std::uint8_t device_class = 0;                ///< bDeviceClass; USB only
  std::vector<std::uint8_t> interface_classes;  ///< of all interfaces, each class once; USB only
  std::string serial_number;                    ///< may be empty
  std::string place;                            ///< where it is plugged in: "1-2.3" for USB
  std::string description;                      ///< for people

  friend bool operator==(const Peripheral&, const Peripheral&) = default;
};

inline constexpr std::size_t kMostId = 64;  ///< characters, as the link protocol allows

/// What `peripheral` is called everywhere and always: "usb:046d:c31c:SERIAL". One without a serial number is named by
/// its place, "usb:046d:c31c@1-2.3", and is another one when it is plugged in elsewhere. Only letters, digits and ".-_"
/// of a serial number stand for themselves, others as %XX, so that an id can stand in a file name. What would be longer
/// than `kMostId` is cut, and ends in a hash of the whole.
[[nodiscard]] std::string identify(const Peripheral& peripheral);
/// The name by place, whether there is a serial number or not.
[[nodiscard]] std::string identify_by_place(const Peripheral& peripheral);

/// Ids of what is plugged in, each different: where a maker gave several devices the same serial number, the second and
/// later ones are named by their place.
class Identifiers {
 public:
  [[nodiscard]] std::string take(const Peripheral& peripheral);
  void give_back(const std::string& id) { taken_.erase(id); }

 private:
  std::set<std::string> taken_;
};

}  // namespace periplex::seat

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

/// What a serial port is connected to: two streams of bytes, without any thread, socket or clock in sight.
namespace periplex::usb::device {

/// bCharFormat (PSTN120 table 17).
enum class StopBits : std::uint8_t { one = 0, one_and_a_half = 1, two = 2 };
/// bParityType (PSTN120 table 17).
enum class Parity : std::uint8_t { none = 0, odd = 1, even = 2, mark = 3, space = 4 };

/// How characters are put on a wire (PSTN120 §6.3.11). A port begins with these.
struct LineCoding {
  std::uint32_t bit_rate = 9600;  ///< bits in a second
  StopBits stop_bits = StopBits::one;
  Parity parity = Parity::none;
  std::uint8_t data_bits = 8;  ///< 5 to 8, or 16
  friend bool operator==(const LineCoding&, const LineCoding&) = default;
};

/// All that a port's user has set.
struct LineSettings {
  LineCoding coding;
  bool data_terminal_ready = false;
  bool request_to_send = false;
  bool sending_break = false;
  friend bool operator==(const LineSettings&, const LineSettings&) = default;
};

/// The other end of a serial port.
///
/// Neither side ever waits, and neither loses a byte: who has nothing gives nothing, who is full takes less, and each
/// tells the other once when that has changed. So there are no bytes on their way that nobody owns.
class SerialLine {
 public:
  /// The port at this end; told from the loop, never from inside one of its own calls.
  class Port {
   public:
    /// `read` may have something, after it had given nothing.
    virtual void on_readable() = 0;
    /// `write` may have room, after it had taken less than all.
    virtual void on_writable() = 0;
    /// `connected` has changed.
    virtual void on_connection() = 0;

   protected:
    ~Port() = default;
  };

  virtual ~SerialLine() = default;
  /// Called once, before anything else. `port` outlives the line.
  virtual void connect(Port& port) = 0;

  /// Whether somebody listens at the other end.
  [[nodiscard]] virtual bool connected() const = 0;
  /// Whether `read` would give something. If not, `on_readable` comes once it would.
  [[nodiscard]] virtual bool readable() = 0;
  /// Moves bytes that have arrived to `room`; returns how many: at least one if it is `readable` and there is room.
  [[nodiscard]] virtual std::size_t read(MutableByteView room) = 0;
  /// Takes bytes from the start of `data`; returns how many. Fewer than all: `on_writable` comes once there is room.
  [[nodiscard]] virtual std::size_t write(ByteView data) = 0;
  /// The port's user has changed something. A line without wires may ignore it.
  virtual void apply(const LineSettings& settings) { (void)settings; }
};

}  // namespace periplex::usb::device

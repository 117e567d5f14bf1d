// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "loop/unique_fd.hpp"
#include "machine/peripheral.hpp"
#include "remote/session.hpp"
#include "sandbox/confinement.hpp"
#include "usb/endpoint.hpp"
#include "usb/endpoint_counters.hpp"

/// What may be asked of one running machine: the one interface between a machine and whoever controls it.
namespace periplex::machine {

enum class Reason : std::uint8_t {
  invalid,    ///< the request itself makes no sense
  not_found,  ///< there is no such peripheral
  conflict,   ///< not in the state it is in now
  busy,       ///< a queue is full; later it works
  failed,     ///< this computer refused something
};

/// Why an operation was not done, and what to do about it. Nothing has changed then.
struct Refusal {
  Reason reason = Reason::invalid;
  std::string text;
  std::string advice;
};

template <typename T = void>
using Outcome = std::expected<T, Refusal>;

/// Open files that were handed over. Those that are not needed are closed.
using Files = std::vector<UniqueFd>;

/// The host's end of a serial line, and what the guest does at its own.
struct TerminalView {
  std::string path;            ///< what programs open: /dev/pts/…
  bool open = false;           ///< some program has it open
  bool ready = false;          ///< the guest has its end open (DTR)
  std::uint32_t bit_rate = 0;  ///< that the guest has chosen; it slows nothing down
};

/// How it stands with a peripheral that is somewhere else.
enum class RemoteState : std::uint8_t {
  connecting,  ///< its far end has not answered yet, or has no device just now
  plugged,
  held,  ///< plugged in, but the far end cannot be reached: its transfers wait
  gone,  ///< for good; it is in no port
};
[[nodiscard]] constexpr std::string_view name(RemoteState state) {
  switch (state) {
    case RemoteState::connecting:
      return "connecting";
    case RemoteState::plugged:
      return "plugged";
    case RemoteState::held:
      return "held";
    case RemoteState::gone:
      return "gone";
  }
  return "?";
}
/// How a disk at a seat is brought to the guest.
struct DiskView {
  bool terminated = false;        ///< else it is tunnelled
  std::uint64_t read_ahead = 0;   ///< bytes at most; 0: none
  std::uint64_t write_cache = 0;  ///< bytes at most; 0: none
};
struct RemoteView {
  RemoteState state = RemoteState::connecting;
  std::string why{};               ///< gone: the reason, for people
  std::optional<DiskView> disk{};  ///< of a seat's disk, once it is known to be one
};

/// A peripheral that is plugged in, or about to be. Its description names the controller and the speed that it got.
struct PeripheralView {
  Description description;
  unsigned port = 0;                             ///< root port, from 1; 0: in none
  std::optional<usb::Speed> port_speed;          ///< where the port is slower than the peripheral
  bool configured = false;                       ///< a driver of the guest uses it
  std::uint64_t size = 0;                        ///< disks: bytes of the medium
  bool locked = false;                           ///< disks: the guest wants the medium to stay in
  bool medium = true;                            ///< disks: whether there is a medium
  std::optional<std::vector<std::string>> leds;  ///< keyboards: what the guest has lit
  std::optional<TerminalView> terminal;          ///< serial lines
  std::optional<RemoteView> remote;              ///< peripherals that are somewhere else
};

/// The machine's monitor (QEMU …), at the other end of a controller's vfio-user socket.
struct ClientView {
  bool connected = false;
  std::uint64_t shared_bytes = 0;  ///< guest memory this process can reach; 0 while connected: the RAM is not shared
};

/// Root ports by the fastest bus that they run.
struct Ports {
  unsigned usb1 = 0;  ///< low and full speed
  unsigned usb2 = 0;  ///< high speed, and the slower ones
  unsigned usb3 = 0;  ///< SuperSpeed only
};

/// One PCI function that the machine's monitor is to attach.
struct ControllerView {
  std::string name;
  std::string kind;
  std::string socket;        ///< where the monitor connects
  std::string companion_of;  ///< of a companion: the controller whose ports it shares
  Ports ports;
  ClientView client;
};

struct CaptureView {
  std::string name;
  std::uint64_t packets = 0;
  std::uint64_t dropped = 0;
};

struct MachineView {
  std::string name;
  int process = 0;
  Nanoseconds uptime{};
  std::string control_socket;
  std::vector<ControllerView> controllers;  ///< the companions of one stand together, right before it
  std::optional<CaptureView> capture;
  std::optional<sandbox::Confinement> confinement;  ///< of its process; none: nothing was given up
};

/// What one endpoint has done since the guest configured it.
struct EndpointStatistics {
  usb::EndpointAddress endpoint;
  usb::TransferType type = usb::TransferType::control;
  usb::EndpointCounters counters;
};

/// What a terminated disk has done since it was plugged in.
struct DiskStatistics {
  std::uint64_t commands = 0;     ///< of the guest
  std::uint64_t round_trips = 0;  ///< of those, for which it had to wait until the disk itself had answered
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t read_ahead_hits = 0;    ///< reads that were served from what had been read ahead
  std::uint64_t read_ahead_misses = 0;  ///< those that were not
  std::uint64_t read_ahead_bytes = 0;   ///< that were asked for ahead
  std::uint64_t wasted_bytes = 0;       ///< of those, that the guest never read
  std::uint64_t early_writes = 0;       ///< reported done when they had been sent
  std::uint64_t failed_early_writes = 0;
};

struct PeripheralStatistics {
  std::string id;
  std::string controller;
  std::vector<EndpointStatistics> endpoints;
  std::optional<DiskStatistics> disk{};
  std::vector<remote::Count> session{};  ///< with the far end of a peripheral at a seat
};

/// What one controller has done since the start.
struct ControllerStatistics {
  std::string name;
  std::uint64_t clients = 0;         ///< connections of monitors
  std::uint64_t messages = 0;        ///< from them: nearly all are accesses to registers
  std::uint64_t received_bytes = 0;  ///< of messages
  std::uint64_t sent_bytes = 0;
  std::uint64_t interrupts = 0;    ///< messages, and rises of the pin
  std::uint64_t mapped_bytes = 0;  ///< of guest memory, now
};

struct Statistics {
  std::uint64_t wakeups = 0;  ///< of the machine's one loop, since the start
  std::vector<ControllerStatistics> controllers;
  std::vector<PeripheralStatistics> peripherals;
};

/// What a pointer does next. Positions are 0 … 32767 from the left and the top of the screen.
namespace pointer {
struct MoveTo {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
};
struct MoveBy {
  std::int16_t x = 0;
  std::int16_t y = 0;
};
/// The buttons that are down from now on.
struct Hold {
  std::uint8_t buttons = 0;
};
/// Down and up again.
struct Click {
  std::uint8_t buttons = 0;
};
/// Notches; away from the user is positive.
struct Scroll {
  std::int16_t notches = 0;
};
inline constexpr std::uint16_t kMaxPosition = 32767;
inline constexpr std::uint8_t kLeft = 1;
inline constexpr std::uint8_t kRight = 2;
inline constexpr std::uint8_t kMiddle = 4;
using Action = std::variant<MoveTo, MoveBy, Hold, Click, Scroll>;
}  // namespace pointer

/// Called on the machine's loop only. None of these waits for the guest: input is queued, and sent as the guest asks.
/// Where an id may be left out, the first peripheral that can do it is meant.
class Operations {
 public:
  virtual ~Operations() = default;

  [[nodiscard]] virtual MachineView view() const = 0;
  [[nodiscard]] virtual std::vector<PeripheralView> peripherals() const = 0;
  [[nodiscard]] virtual Statistics statistics() const = 0;

  /// Plugs a peripheral in; one that is somewhere else as soon as its far end has answered. `files` are the open files
  /// it stands on, in the order that `Description` says.
  [[nodiscard]] virtual Outcome<PeripheralView> attach(Description description, Files files) = 0;
  /// Pulls it, whatever the guest does with it.
  [[nodiscard]] virtual Outcome<> detach(std::string_view id) = 0;
  /// Takes the medium out; against the guest's will (it has locked the medium while it uses it) only with `force`.
  [[nodiscard]] virtual Outcome<> eject(std::string_view id, bool force) = 0;
  [[nodiscard]] virtual Outcome<> insert(std::string_view id, UniqueFd image, std::string name) = 0;

  /// Presses the keys of a US keyboard that give `text`; all of them are queued, or none.
  [[nodiscard]] virtual Outcome<> type(std::optional<std::string_view> id, std::string_view text) = 0;
  /// Presses chords like "ctrl+alt+delete", one after the other.
  [[nodiscard]] virtual Outcome<> press(std::optional<std::string_view> id, const std::vector<std::string>& chords) = 0;
  [[nodiscard]] virtual Outcome<> point(std::optional<std::string_view> id,
                                        const std::vector<pointer::Action>& actions) = 0;

  /// Writes all USB traffic to `file` as pcapng; `name` is for people.
  [[nodiscard]] virtual Outcome<> start_capture(UniqueFd file, std::string name) = 0;
  [[nodiscard]] virtual Outcome<CaptureView> stop_capture() = 0;
};

}  // namespace periplex::machine

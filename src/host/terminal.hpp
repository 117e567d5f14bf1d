// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"
#include "usb/device/serial_line.hpp"

namespace periplex::host {

enum class TerminalError : std::uint8_t {
  not_a_terminal,  ///< the descriptor is not the master of a pseudo-terminal
  unwatchable,     ///< this process may not look at the terminal, or this computer has no inotify instances left
  link_taken,      ///< there is something at the link's path that is no link to a terminal
  link_refused,    ///< the link cannot be made there
};

/// Makes the master of a new pseudo-terminal, raw and ready to be opened. The error is an errno.
[[nodiscard]] std::expected<UniqueFd, int> make_terminal_master();

/// A serial line that ends in a pseudo-terminal: programs open its path as they would open a real port.
///
/// While no program has it open, what the guest writes waits, and the guest hears that nobody listens. Programs may
/// come and go; what one has written is read after it has gone. The terminal itself keeps what its reader does not
/// fetch (the kernel's 12 KiB or so), after that writes wait; in the other direction nothing is read that nobody has
/// asked for, but for one buffer.
///
/// A pseudo-terminal tells its master that the last program has gone, by a condition that stays (EPOLLHUP), but not
/// that one has come. So it is watched only while a program is there, and inotify tells of the next one: an unused
/// terminal costs nothing. Its settings go back to raw each time, so that the next program finds a wire again.
class Terminal final : public usb::device::SerialLine {
 public:
  /// `link`, unless empty, becomes a symbolic link to the terminal for as long as this exists. One that points to
  /// another terminal is replaced: it was left behind.
  [[nodiscard]] static std::expected<std::unique_ptr<Terminal>, TerminalError> make(UniqueFd master, std::string link,
                                                                                    EventLoop& loop);
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() override;

  /// What programs open.
  [[nodiscard]] const std::string& path() const { return path_; }

  void connect(Port& port) override;
  [[nodiscard]] bool connected() const override { return watch_ != nullptr; }
  [[nodiscard]] bool readable() override;
  [[nodiscard]] std::size_t read(MutableByteView room) override;
  [[nodiscard]] std::size_t write(ByteView data) override;

 private:
  Terminal(UniqueFd master, EventLoop& loop) : loop_(loop), master_(std::move(master)) {}

  [[nodiscard]] std::expected<void, TerminalError> open();
  [[nodiscard]] std::expected<void, TerminalError> make_link(std::string link);
  [[nodiscard]] bool is_open() const;
  void watch_master();
  void update_connection();
  void tell_port();
  void set_events();

  EventLoop& loop_;
  Port* port_ = nullptr;
  UniqueFd master_;
  UniqueFd openings_;  // inotify
  std::string path_;
  std::string link_;
  std::unique_ptr<EventLoop::Watch> openings_watch_;
  std::unique_ptr<EventLoop::Watch> watch_;  // of the master, while a program has the terminal open
  std::uint32_t watched_ = 0;                // which events of it
  bool reader_waits_ = false;
  bool writer_waits_ = false;

  std::array<std::byte, 4096> arrived_;  // the kernel gives no more at once
  std::size_t arrived_begin_ = 0;
  std::size_t arrived_end_ = 0;
};

}  // namespace periplex::host

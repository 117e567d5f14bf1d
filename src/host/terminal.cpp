// SPDX-License-Identifier: Apache-2.0
#include "host/terminal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace periplex::host {
namespace {

constexpr std::size_t kLongestPath = 64;
constexpr std::string_view kTerminals = "/dev/pts/";

/// No echo, no line editing, no translation, as on a wire. On Linux the master's settings are the terminal's.
bool make_raw(int master) {
  termios settings{};
  if (::tcgetattr(master, &settings) != 0) return false;
  ::cfmakeraw(&settings);
  return ::tcsetattr(master, TCSANOW, &settings) == 0;
}

}  // namespace

std::expected<UniqueFd, int> make_terminal_master() {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 || !make_raw(master.get())) {
    return std::unexpected(errno);
  }
  return master;
}

std::expected<std::unique_ptr<Terminal>, TerminalError> Terminal::make(UniqueFd master, std::string link,
                                                                       EventLoop& loop) {
  std::unique_ptr<Terminal> terminal(new Terminal(std::move(master), loop));
  if (const auto opened = terminal->open(); !opened) return std::unexpected(opened.error());
  if (link.empty()) return terminal;
  if (const auto linked = terminal->make_link(std::move(link)); !linked) return std::unexpected(linked.error());
  return terminal;
}

Terminal::~Terminal() {
  std::error_code error;
  // Another one may have replaced it meanwhile.
  if (!link_.empty() && std::filesystem::read_symlink(link_, error) == path_) ::unlink(link_.c_str());
}

std::expected<void, TerminalError> Terminal::open() {
  std::array<char, kLongestPath> path{};
  const int flags = ::fcntl(master_.get(), F_GETFL);
  if (flags < 0 || ::ptsname_r(master_.get(), path.data(), path.size()) != 0 || !make_raw(master_.get())) {
    return std::unexpected(TerminalError::not_a_terminal);
  }
  (void)::fcntl(master_.get(), F_SETFL, flags | O_NONBLOCK);
  path_ = path.data();
  // Opened by descriptor: whoever made the terminal may see another /dev/pts than this process.
  const UniqueFd slave(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  openings_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!slave || !openings_ ||
      ::inotify_add_watch(openings_.get(), fmt::format("/proc/self/fd/{}", slave.get()).c_str(), IN_OPEN) < 0) {
    return std::unexpected(TerminalError::unwatchable);
  }
  openings_watch_ = loop_.watch(openings_.get(), EPOLLIN, [this](std::uint32_t) {
    std::array<char, 1024> events;
    while (::read(openings_.get(), events.data(), events.size()) > 0) {
    }
    if (port_ == nullptr) return;
    update_connection();
    tell_port();
  });
  // Only a terminal that has been closed once says that nobody has it open: `slave` ends here.
  return {};
}

std::expected<void, TerminalError> Terminal::make_link(std::string link) {
  if (::symlink(path_.c_str(), link.c_str()) != 0) {
    if (errno != EEXIST) return std::unexpected(TerminalError::link_refused);
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(link, error).string();
    if (error || !target.starts_with(kTerminals)) return std::unexpected(TerminalError::link_taken);
    if (::unlink(link.c_str()) != 0 || ::symlink(path_.c_str(), link.c_str()) != 0) {
      return std::unexpected(TerminalError::link_refused);
    }
  }
  link_ = std::move(link);
  return {};
}

void Terminal::connect(Port& port) {
  port_ = &port;
  if (is_open()) watch_master();
}

bool Terminal::is_open() const {
  pollfd state{.fd = master_.get(), .events = 0, .revents = 0};
  return ::poll(&state, 1, 0) == 0 || (state.revents & POLLHUP) == 0;
}

void Terminal::watch_master() {
  watched_ = 0;
  watch_ = loop_.watch(master_.get(), watched_, [this](std::uint32_t events) {
    if ((events & EPOLLHUP) != 0) update_connection();
    tell_port();
  });
}

void Terminal::update_connection() {
  const bool open = is_open();
  if (open == connected()) return;
  if (open) {
    watch_master();
  } else {
    watch_.reset();
    (void)make_raw(master_.get());
  }
  port_->on_connection();
}

void Terminal::tell_port() {
  // What a program has written is there even if it has come and gone meanwhile.
  if (std::exchange(reader_waits_, false)) port_->on_readable();
  if (connected() && std::exchange(writer_waits_, false)) port_->on_writable();
  set_events();
}

void Terminal::set_events() {
  const std::uint32_t wanted = (reader_waits_ ? EPOLLIN : 0u) | (writer_waits_ ? EPOLLOUT : 0u);
  if (watch_ && std::exchange(watched_, wanted) != wanted) watch_->set_events(wanted);
}

bool Terminal::readable() {
  if (arrived_begin_ < arrived_end_) return true;
  if (reader_waits_) return false;  // the loop will tell
  const ssize_t got = ::read(master_.get(), arrived_.data(), arrived_.size());
  arrived_begin_ = 0;
  arrived_end_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  reader_waits_ = arrived_end_ == 0;
  set_events();
  return arrived_end_ > 0;
}

std::size_t Terminal::read(MutableByteView room) {
  if (!readable()) return 0;
  const std::size_t size = std::min(room.size(), arrived_end_ - arrived_begin_);
  std::copy_n(arrived_.begin() + static_cast<std::ptrdiff_t>(arrived_begin_), size, room.begin());
  arrived_begin_ += size;
  return size;
}

std::size_t Terminal::write(ByteView data) {
  std::size_t taken = 0;
  while (connected() && taken < data.size()) {
    const ssize_t done = ::write(master_.get(), data.data() + taken, data.size() - taken);
    if (done <= 0) break;  // full, or the last program has gone just now, of which the loop will tell
    taken += static_cast<std::size_t>(done);
  }
  writer_waits_ = taken < data.size();
  set_events();
  return taken;
}

}  // namespace periplex::host

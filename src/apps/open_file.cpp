// SPDX-License-Identifier: Apache-2.0
#include "apps/open_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "apps/places.hpp"
#include "apps/tcp.hpp"
#include "control/arguments.hpp"
#include "host/terminal.hpp"
#include "remote/usbip/operation.hpp"
#include "remote/usbredir/messages.hpp"

namespace periplex::apps {
namespace {

constexpr mode_t kPrivateMode = 0600;  // what is typed or said stands in it

OpenError open_error(const std::string& path, int error, std::string advice) {
  return {fmt::format("cannot open {}: {}", path, std::strerror(error)), std::move(advice)};
}

std::expected<UniqueFd, OpenError> open_terminal() {
  auto master = host::make_terminal_master();
  if (master) return std::move(*master);
  return std::unexpected(OpenError{fmt::format("cannot make a pseudo-terminal: {}", std::strerror(master.error())),
                                   "see /dev/ptmx, and /proc/sys/kernel/pty"});
}

/// Of a sound card: made if absent. It is not emptied before it is known that the machine takes it.
std::expected<UniqueFd, OpenError> open_playback(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kPrivateMode));
  if (file) return file;
  return std::unexpected(open_error(path, errno, "name a WAV file in a directory that you may write to, or a FIFO"));
}

/// A FIFO needs no writer yet.
std::expected<UniqueFd, OpenError> open_recording(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file) return file;
  return std::unexpected(open_error(path, errno, "name a WAV file, or a FIFO with bare PCM"));
}

/// To the server of a remote peripheral.
std::expected<UniqueFd, OpenError> open_connection(const std::string& host, std::uint16_t default_port) {
  const auto endpoint = parse_endpoint(host, default_port);
  if (!endpoint) {
    return std::unexpected(OpenError{fmt::format("{} is no HOST or HOST:PORT", host),
                                     "write a name, an IPv4 address, or an IPv6 address in brackets"});
  }
  return connect_tcp(*endpoint);
}

/// For a server that connects to us. What it accepts has the properties of the listening socket (Linux, tcp(7)).
std::expected<UniqueFd, OpenError> open_listening(const machine::Usbip& usbip) {
  const auto endpoint = parse_endpoint(usbip.listen, remote::usbip::kDefaultPort);
  if (!endpoint) {
    return std::unexpected(OpenError{fmt::format("{} is no ADDRESS or ADDRESS:PORT", usbip.listen),
                                     "write an address of this computer, as 0.0.0.0:3240 or [::]:3240 for all"});
  }
  auto socket = listen_tcp(*endpoint);
  if (!socket) {
    socket.error().advice = "is another server there? Choose another port with listen=ADDRESS:PORT";
  } else {
    tune_tcp(*socket);
  }
  return socket;
}

}  // namespace

std::optional<std::string> open_warning(const machine::Description& description) {
  if (!description.is_remote()) return std::nullopt;
  return fmt::format(
      "{} is neither encrypted nor authenticated: whoever is on the way reads and changes everything, keys too",
      description.usbip() != nullptr ? "USB/IP" : "usbredir");
}

std::expected<machine::Files, OpenError> open_files(machine::Description& description) {
  machine::Files files;
  std::optional<OpenError> failed;
  const auto add = [&](std::expected<UniqueFd, OpenError> file) {
    if (file) {
      files.push_back(std::move(*file));
    } else if (!failed) {
      failed = std::move(file.error());
    }
  };
  const auto make_absolute = [](std::string& path) {
    if (!path.empty()) path = absolute_path(path);
  };
  if (auto* storage = std::get_if<machine::Storage>(&description.options)) {
    if (!storage->image.empty()) add(open_image(storage->image, storage->readonly));
    make_absolute(storage->image);
  } else if (auto* serial = std::get_if<machine::Serial>(&description.options)) {
    add(open_terminal());
    make_absolute(serial->link);
  } else if (auto* sound = std::get_if<machine::Sound>(&description.options)) {
    if (!sound->playback.empty()) add(open_playback(sound->playback));
    if (!sound->capture.empty()) add(open_recording(sound->capture));
    make_absolute(sound->playback);
    make_absolute(sound->capture);
  } else if (const machine::Usbip* usbip = description.usbip()) {
    add(usbip->listen.empty() ? open_connection(usbip->host, remote::usbip::kDefaultPort) : open_listening(*usbip));
  } else if (const machine::Usbredir* usbredir = description.usbredir()) {
    add(open_connection(usbredir->host, remote::usbredir::kDefaultPort));
  }
  if (failed) return std::unexpected(std::move(*failed));
  return files;
}

std::expected<UniqueFd, OpenError> open_image(const std::string& path, bool readonly) {
  UniqueFd file(::open(path.c_str(), (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  if (file) return file;
  const int error = errno;
  switch (error) {
    case ENOENT:
      return std::unexpected(
          open_error(path, error, fmt::format("`truncate -s 1G {}` makes an empty disk", control::shell_quoted(path))));
    case EACCES:
    case EPERM:
    case EROFS:
      return std::unexpected(open_error(path, error,
                                        readonly ? "see its owner and mode, and those of its directory"
                                                 : "see its owner and mode, or add readonly=true"));
    case EISDIR:
      return std::unexpected(open_error(path, error, "name a raw disk image or a block device"));
    default:
      return std::unexpected(open_error(path, error, "see whether the path is right"));
  }
}

std::expected<UniqueFd, OpenError> open_capture(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivateMode));
  if (!file) {
    return std::unexpected(open_error(path, errno, "name a file in a directory that you may write to"));
  }
  return file;
}

}  // namespace periplex::apps

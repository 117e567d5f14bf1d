// SPDX-License-Identifier: Apache-2.0
#include "control/client.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/session.hpp"

namespace periplex::control {
namespace {

std::unexpected<ClientError> lost() {
  return std::unexpected(
      ClientError{"the machine closed the connection before it answered", "see its log; it may just have ended"});
}

ClientError connect_error(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
      return {fmt::format("there is no control socket at {}", path),
              "is periplex-machine running? Start it, or name the one you mean with --machine NAME or --control PATH"};
    case ECONNREFUSED:
      return {fmt::format("nobody listens on {}", path),
              "is periplex-machine running? It left this socket behind; start it again"};
    case EACCES:
      return {
          fmt::format("you may not use {}", path),
          "run periplex as the user who started periplex-machine, or as root: nobody else may use the control socket"};
    default:
      return {fmt::format("cannot connect to {}: {}", path, std::strerror(error)), "see whether the path is right"};
  }
}

}  // namespace

std::expected<Client, ClientError> Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return std::unexpected(ClientError{fmt::format("{} is too long for a socket", path),
                                       fmt::format("use a path of at most {} bytes", sizeof address.sun_path - 1)});
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(connect_error(path, errno));
  }
  return Client(std::move(socket));
}

bool Client::send(std::string_view text, std::span<const int> files) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Session::kMaxFiles)> control{};
  if (files.size() > Session::kMaxFiles) return false;
  while (!text.empty()) {
    iovec vector{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (!files.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(files.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(files.size_bytes());
      std::memcpy(CMSG_DATA(header), files.data(), files.size_bytes());
    }
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
    files = {};  // they went with the first byte
  }
  return true;
}

std::expected<http::Response, ClientError> Client::call(std::string_view method, std::string_view target,
                                                        std::string_view body, std::span<const int> files) {
  // A server that refuses a request early may close before it has read all: its answer is there all the same.
  (void)send(http::serialize_request(method, target, body), files);
  http::ResponseParser parser;
  std::array<std::byte, 16 * 1024> bytes;
  while (!parser.done()) {
    const ssize_t count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return lost();
    const auto used = parser.put(ByteView(bytes).first(static_cast<std::size_t>(count)));
    if (!used) {
      return std::unexpected(ClientError{"the answer is not HTTP: " + used.error().text,
                                         "is this the control socket of a periplex-machine?"});
    }
  }
  return parser.take();
}

}  // namespace periplex::control

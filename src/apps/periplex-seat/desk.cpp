// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex-seat/desk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "apps/places.hpp"
#include "loop/unix_listener.hpp"

namespace periplex::apps {
namespace {

std::string desk_path() {
  return runtime_root() + "/seat.sock";
}

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

}  // namespace

std::expected<std::unique_ptr<Desk>, std::string> Desk::open(EventLoop& loop, Answer answer) {
  std::error_code error;
  std::filesystem::create_directories(runtime_root(), error);
  if (error) return std::unexpected(fmt::format("cannot make {}: {}", runtime_root(), error.message()));
  auto listening = listen_unix({.path = desk_path()});
  if (!listening) return std::unexpected(listening.error());
  return std::unique_ptr<Desk>(new Desk(loop, desk_path(), std::move(*listening), std::move(answer)));
}

Desk::Desk(EventLoop& loop, std::string path, UniqueFd listening, Answer answer)
    : loop_(loop),
      path_(std::move(path)),
      answer_(std::move(answer)),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { on_client(std::move(socket)); }) {
  acceptor_.start();
}

Desk::~Desk() {
  ::unlink(path_.c_str());
}

void Desk::on_client(UniqueFd socket) {
  if (clients_.size() == kMostClients) clients_.erase(clients_.begin());
  const std::uint64_t number = ++last_;
  clients_[number].stream = std::make_unique<ByteStream>(
      loop_, std::move(socket),
      ByteStream::Events{.received = [this, number](ByteView bytes) { on_received(number, bytes); },
                         .closed = [this, number](const std::string&) { clients_.erase(number); },
                         .drained = {}});
}

void Desk::on_received(std::uint64_t number, ByteView bytes) {
  Client& client = clients_.at(number);
  client.line += as_text(bytes);
  const std::size_t end = client.line.find('\n');
  if (std::min(end, client.line.size()) > kMostLine) {
    clients_.erase(number);
    return;
  }
  if (end == std::string::npos) return;
  const std::string answer = answer_(std::string_view(client.line).substr(0, end));
  const ByteView answered = as_bytes(answer);
  client.stream->send(Bytes(answered.begin(), answered.end()));
  client.stream->finish();
}

std::expected<std::string, OpenError> ask_desk(const std::string& line) {
  const std::string path = desk_path();
  const auto failed = [&](const char* what) {
    return std::unexpected(OpenError{fmt::format("{}: {}: {}", path, what, std::strerror(errno)),
                                     "the agent does not run for this user: start `periplex-seat run`"});
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(OpenError{path + " is too long", ""});
  path.copy(address.sun_path, path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("cannot connect");
  }
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const std::string request = line + "\n";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return failed("cannot ask");
  }
  std::string answer;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t count = ::recv(socket.get(), part.data(), part.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("no answer");
    if (count == 0) return answer;
    answer.append(part.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace periplex::apps

// SPDX-License-Identifier: Apache-2.0
#include "control/session.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include "control/json.hpp"

namespace periplex::control {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;
/// What may stand in the buffer without being taken: less than this is a frame of a chunked body.
constexpr std::size_t kMaxInput = 64 * 1024;

}  // namespace

bool Session::on_ready(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) return false;
  if (output_.empty()) {
    if (!read_some()) return false;
    handle_input();
  }
  // Requests that were read behind an answered one are handled as soon as their predecessor's answer is gone.
  while (!output_.empty()) {
    if (!write_some()) return false;
    if (!output_.empty()) break;
    if (closing_) return false;
    handle_input();
  }
  return true;
}

bool Session::read_some() {
  std::array<std::byte, kReadSize> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFiles)> control{};
  iovec vector{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  take_files(message);
  if (count == 0) return false;
  input_.insert(input_.end(), bytes.begin(), bytes.begin() + count);
  return true;
}

void Session::take_files(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      UniqueFd file(fd);
      if (files_.size() < kMaxFiles) files_.push_back(std::move(file));
    }
  }
}

void Session::handle_input() {
  std::size_t used = 0;
  while (used < input_.size() && !parser_.done()) {
    const auto taken = parser_.put(ByteView(input_).subspan(used));
    if (!taken) return refuse(taken.error());
    if (*taken == 0) break;
    used += *taken;
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
  if (!parser_.done()) {
    if (input_.size() > kMaxInput) refuse({400, "the body's encoding is broken"});
    return;
  }
  auto request = parser_.take();
  if (!request) return refuse(request.error());
  http::Response response = router_.answer(*request, std::exchange(files_, {}));
  response.keep_alive = request->keep_alive;
  closing_ = !request->keep_alive;
  output_ = http::serialize(response);
}

void Session::refuse(const http::ParseError& error) {
  input_.clear();
  files_.clear();
  closing_ = true;
  output_ = http::serialize({.status = error.status,
                             .body = error_json(error.text, "send HTTP/1.1 with a JSON body, as `periplex` does"),
                             .allow = {},
                             .keep_alive = false});
}

bool Session::write_some() {
  while (written_ < output_.size()) {
    const ssize_t count =
        ::send(socket_.get(), output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    written_ += static_cast<std::size_t>(count);
  }
  output_.clear();
  written_ = 0;
  return true;
}

}  // namespace periplex::control

// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/connection.hpp"

namespace periplex::vfio_user {
namespace {

// More than this is sent before the next message is handled: a buffer full of small read requests must not become
// gigabytes of replies.
constexpr std::size_t kMaxCollectedReplies = std::size_t{64} * 1024;

}  // namespace

Connection::Connection(UniqueFd socket, pci::Function& function, guest::Memory& memory, IrqLines& lines)
    : socket_(std::move(socket)), session_(function, memory, lines) {}

Connection::Progress Connection::advance() {
  if (congested_) {
    if (!flush()) return Progress::ended;
    if (congested_) return Progress::nothing;
    // Messages may have been left behind when the socket filled.
    return handle_received() ? Progress::worked : Progress::ended;
  }
  switch (socket_.receive()) {
    case MessageSocket::Received::nothing:
      return Progress::nothing;
    case MessageSocket::Received::closed:
      return Progress::ended;
    case MessageSocket::Received::bytes:
      break;
  }
  return handle_received() ? Progress::worked : Progress::ended;
}

bool Connection::handle_received() {
  while (!congested_) {
    const auto message = socket_.next();
    if (!message) break;
    ++messages_;
    if (session_.handle(*message, socket_.out()) == Session::Verdict::close) {
      (void)flush();
      return false;
    }
    if (socket_.unsent() >= kMaxCollectedReplies && !flush()) return false;
  }
  return flush() && !socket_.broken();
}

bool Connection::flush() {
  const auto flushed = socket_.flush();
  congested_ = flushed == MessageSocket::Flushed::partly;
  return flushed != MessageSocket::Flushed::closed;
}

}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
// The vfio-user server against any sequence of messages. The input's first byte chooses: messages that are well framed
// and carry real descriptors, straight into a session; or raw bytes in pieces of any size, through a socket.
#include <cstdlib>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vfio_user/connection.hpp"
#include "vfio_user/testing/scratch_function.hpp"
#include "vfio_user/version.hpp"

namespace periplex::vfio_user {
namespace {

constexpr std::size_t kFileSize = 64 * 1024;

/// What the input is thrown at.
struct Target {
  EventLoop loop;
  guest::Memory memory;
  IrqLines lines{loop};
  testing::ScratchFunction function{lines};
};

UniqueFd make_fd(unsigned kind) {
  switch (kind % 4) {
    case 0:
      return UniqueFd(::eventfd(kind, EFD_CLOEXEC));
    case 1:
      return UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    default: {
      UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
      (void)!::ftruncate(file.get(), kFileSize);
      return file;
    }
  }
}

void check(bool condition) {
  if (!condition) std::abort();
}

/// Every reply must be framed as the document says, and only commands that want one are answered, once.
void check_replies(const Header& request, const Bytes& replies) {
  if (replies.empty()) return;
  check(request.wants_reply() && !request.is_reply());
  const Header reply = Header::parse(replies);
  check(reply.size == replies.size() && reply.is_reply() && reply.id == request.id);
}

void feed_session(ByteReader& input, Target& target) {
  Session session(target.function, target.memory, target.lines);
  Bytes replies;
  const Bytes hello = propose({}, "{}");
  if ((input.u8() & 1) != 0) (void)session.handle({Header{.command = Command::version}, hello, {}}, replies);
  while (input.remaining() > 4) {
    const unsigned how = input.u8();
    const Header header{.id = 1, .command = Command{static_cast<std::uint16_t>(input.u8() % 20)}, .flags = input.u8()};
    const ByteView payload = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    std::vector<UniqueFd> fds;
    for (unsigned i = 0; i < (how & 3); ++i) fds.push_back(make_fd(how >> 2));
    replies.clear();
    const auto verdict = session.handle({header, payload, fds}, replies);
    check_replies(header, replies);
    if (verdict == Session::Verdict::close) break;
    if ((how & 0x80) != 0) target.function.set_pin((how & 0x40) != 0);
    (void)target.memory.write(guest::GuestAddress(how * 64), payload);
    if ((how & 0x60) == 0x60) target.loop.run_once(Nanoseconds(0));
  }
}

void feed_socket(ByteReader& input, Target& target) {
  int ends[2] = {-1, -1};
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  const UniqueFd client(ends[0]);
  Connection connection(UniqueFd(ends[1]), target.function, target.memory, target.lines);
  while (input.remaining() > 1) {
    const ByteView piece = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    if (piece.empty()) continue;
    if (::write(client.get(), piece.data(), piece.size()) < 0) break;
    if (connection.advance() == Connection::Progress::ended) break;
  }
}

}  // namespace
}  // namespace periplex::vfio_user

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace periplex::vfio_user;
  Target target;
  periplex::ByteReader input(std::as_bytes(std::span(data, size)));
  if ((input.u8() & 1) != 0) {
    feed_session(input, target);
  } else {
    feed_socket(input, target);
  }
  check(target.memory.regions() == 0);
  return 0;
}

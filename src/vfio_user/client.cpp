// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/client.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace periplex::vfio_user {
namespace {

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::unexpected<Client::Error> failure(Client::Failure what) {
  return std::unexpected(Client::Error{what});
}

/// A reply's payload is of no interest.
Client::Result<void> done(const Client::Result<ByteView>& reply) {
  if (!reply) return std::unexpected(reply.error());
  return {};
}

}  // namespace

std::expected<UniqueFd, std::errc> Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(std::errc::filename_too_long);
  path.copy(address.sun_path, path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(std::errc{errno});
  }
  return socket;
}

Client::Client(UniqueFd socket, Pump pump) : socket_(std::move(socket)), pump_(std::move(pump)) {}

void Client::begin(Command command, std::size_t payload_size, std::uint32_t flags) {
  const Header header{.id = ++last_id_,
                      .command = command,
                      .size = static_cast<std::uint32_t>(Header::kSize + payload_size),
                      .flags = flags};
  append(socket_.out(), header.packed());
}

Client::Result<void> Client::flush(std::span<const int> fds) {
  while (true) {
    const std::size_t before = socket_.unsent();
    switch (socket_.flush(fds)) {
      case MessageSocket::Flushed::all:
        return {};
      case MessageSocket::Flushed::closed:
        return failure(Failure::disconnected);
      case MessageSocket::Flushed::partly:
        break;
    }
    if (socket_.unsent() != before) fds = {};  // they have left with the first byte
    if (pump_) {
      pump_();
    } else {
      pollfd room{.fd = socket_.fd(), .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    }
  }
}

Client::Result<std::uint16_t> Client::send(Command command, ByteView payload, std::span<const int> fds,
                                           std::uint32_t flags) {
  begin(command, payload.size(), flags);
  append(socket_.out(), payload);
  if (auto sent = flush(fds); !sent) return std::unexpected(sent.error());
  return last_id_;
}

Client::Result<Message> Client::receive() {
  while (true) {
    if (auto message = socket_.next()) return *message;
    switch (socket_.receive(pump_ ? MessageSocket::Wait::no : MessageSocket::Wait::yes)) {
      case MessageSocket::Received::bytes:
        break;
      case MessageSocket::Received::nothing:
        if (pump_) pump_();
        break;
      case MessageSocket::Received::closed:
        return failure(socket_.broken() ? Failure::malformed : Failure::disconnected);
    }
  }
}

Client::Result<ByteView> Client::reply_to_last() {
  const auto reply = receive();
  if (!reply) return std::unexpected(reply.error());
  if (!reply->header.is_reply() || reply->header.id != last_id_) return failure(Failure::malformed);
  if ((reply->header.flags & Header::kError) != 0) {
    return std::unexpected(Error{Failure::refused, std::errc{static_cast<int>(reply->header.error)}});
  }
  return reply->payload;
}

Client::Result<ByteView> Client::call(Command command, ByteView payload, std::span<const int> fds) {
  if (auto sent = send(command, payload, fds); !sent) return std::unexpected(sent.error());
  return reply_to_last();
}

template <typename T>
Client::Result<T> Client::query(Command command, const T& request) {
  const auto reply = call(command, request.packed());
  if (!reply) return std::unexpected(reply.error());
  const auto value = T::parse(*reply);
  if (!value) return failure(Failure::malformed);
  return *value;
}

Client::Result<Proposal> Client::negotiate(Version version, std::string_view json) {
  const auto reply = call(Command::version, propose(version, json));
  if (!reply) return std::unexpected(reply.error());
  const auto proposal = parse_proposal(*reply);
  if (!proposal) return failure(Failure::malformed);
  return *proposal;
}

Client::Result<DeviceInfo> Client::device_info() {
  return query(Command::device_get_info, DeviceInfo{});
}

Client::Result<RegionInfo> Client::region_info(std::uint32_t index) {
  return query(Command::device_get_region_info, RegionInfo{.index = index});
}

Client::Result<IrqInfo> Client::irq_info(std::uint32_t index) {
  return query(Command::device_get_irq_info, IrqInfo{.index = index});
}

Client::Result<void> Client::dma_map(std::uint64_t address, std::uint64_t size, int fd, std::uint64_t offset) {
  const DmaMap map{.flags = DmaMap::kReadable | DmaMap::kWriteable, .offset = offset, .address = address, .size = size};
  return done(call(Command::dma_map, map.packed(), {&fd, 1}));
}

Client::Result<void> Client::dma_unmap(std::uint64_t address, std::uint64_t size) {
  return done(call(Command::dma_unmap, DmaUnmap{.address = address, .size = size}.packed()));
}

Client::Result<void> Client::arm(std::uint32_t index, std::uint32_t start, std::span<const int> fds) {
  return set_irqs({.flags = IrqSet::kDataEventfd | IrqSet::kActionTrigger,
                   .index = index,
                   .start = start,
                   .count = static_cast<std::uint32_t>(fds.size())},
                  fds);
}

Client::Result<void> Client::set_irqs(const IrqSet& set, std::span<const int> fds) {
  return done(call(Command::device_set_irqs, set.packed(), fds));
}

Client::Result<void> Client::read(std::uint32_t region, std::uint64_t offset, MutableByteView out) {
  const RegionAccess access{.offset = offset, .region = region, .count = static_cast<std::uint32_t>(out.size())};
  const auto reply = call(Command::region_read, access.packed());
  if (!reply) return std::unexpected(reply.error());
  if (reply->size() != RegionAccess::kSize + out.size()) return failure(Failure::malformed);
  std::ranges::copy(reply->subspan(RegionAccess::kSize), out.begin());
  return {};
}

Client::Result<void> Client::write(std::uint32_t region, std::uint64_t offset, ByteView data) {
  const RegionAccess access{.offset = offset, .region = region, .count = static_cast<std::uint32_t>(data.size())};
  begin(Command::region_write, RegionAccess::kSize + data.size(), 0);
  append(socket_.out(), access.packed());
  append(socket_.out(), data);
  if (auto sent = flush(); !sent) return sent;
  return done(reply_to_last());
}

Client::Result<void> Client::post(std::uint32_t region, std::uint64_t offset, ByteView data) {
  const RegionAccess access{.offset = offset, .region = region, .count = static_cast<std::uint32_t>(data.size())};
  begin(Command::region_write, RegionAccess::kSize + data.size(), Header::kNoReply);
  append(socket_.out(), access.packed());
  append(socket_.out(), data);
  return flush();
}

Client::Result<void> Client::reset() {
  return done(call(Command::device_reset, {}));
}

}  // namespace periplex::vfio_user

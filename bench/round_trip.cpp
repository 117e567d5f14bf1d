// SPDX-License-Identifier: Apache-2.0
#include "bench/round_trip.hpp"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>

#include "bench/software_guest.hpp"
#include "bench/stopwatch.hpp"
#include "bench/worker.hpp"
#include "loop/event_loop.hpp"
#include "vfio_user/protocol.hpp"

namespace periplex::bench {
namespace {

constexpr std::uint64_t kRamSize = std::uint64_t{4} << 20;
constexpr unsigned kRoundTrips = 20'000;
constexpr std::uint32_t kHciVersion = 0;  // a register that costs nothing to read
constexpr std::size_t kRequest = vfio_user::Header::kSize + vfio_user::RegionAccess::kSize;
constexpr std::size_t kReply = kRequest + sizeof(std::uint32_t);

/// Two ends of a socket; one belongs to a process that answers each request with a reply.
class BareSocket {
 public:
  BareSocket() : ends_(make_pair()), process_(Processor(0), [this] { answer(); }) { ends_[1].reset(); }

  void round_trip() {
    std::array<std::byte, kRequest> request{};
    std::array<std::byte, kReply> reply{};
    if (::send(ends_[0].get(), request.data(), request.size(), MSG_NOSIGNAL) != ssize_t{kRequest} ||
        ::recv(ends_[0].get(), reply.data(), reply.size(), MSG_WAITALL) != ssize_t{kReply}) {
      throw std::runtime_error("the bare socket's other end is gone");
    }
  }

 private:
  static std::array<UniqueFd, 2> make_pair() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
      throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }

  /// The same loop as the worker's; only there is nothing to decide.
  void answer() {
    EventLoop loop;
    const int fd = ends_[1].get();
    const auto watch = loop.watch(fd, EPOLLIN, [&](std::uint32_t) {
      std::array<std::byte, kRequest> request{};
      const std::array<std::byte, kReply> reply{};
      if (::recv(fd, request.data(), request.size(), MSG_WAITALL) <= 0) return loop.stop();
      if (::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) loop.stop();
    });
    loop.run();
  }

  std::array<UniqueFd, 2> ends_;
  ChildProcess process_;
};

template <typename RoundTrip>
double seconds_each(RoundTrip round_trip) {
  const Stopwatch watch;
  for (unsigned i = 0; i < kRoundTrips; ++i) round_trip();
  return watch.seconds() / kRoundTrips;
}

}  // namespace

RoundTripResult measure_round_trip(unsigned repetitions) {
  RoundTripResult result;
  // Everything on one processor, so that the cost of the way counts and not how fast another processor wakes up.
  const Worker worker({.processor = 0});
  BareSocket bare;
  pin(0);
  SoftwareGuest guest(worker.socket_path(), kRamSize);
  for (unsigned repetition = 0; repetition <= repetitions; ++repetition) {
    const double plain = seconds_each([&] { bare.round_trip(); });
    const double read = seconds_each([&] {
      if (!guest.client().read<std::uint32_t>(SoftwareGuest::kBar, kHciVersion)) {
        throw std::runtime_error("the worker is gone");
      }
    });
    if (repetition == 0) continue;  // warms up
    result.bare_socket.add(plain);
    result.register_read.add(read);
    result.ratio.add(read / plain);
  }
  pin({});
  return result;
}

}  // namespace periplex::bench

// SPDX-License-Identifier: Apache-2.0
#include "gate/gate.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <utility>

namespace periplex::gate {
namespace {

using link::Reason;

/// For the log.
std::string address_of(const UniqueFd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "somebody";
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(address->sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(address->sin6_port));
  }
  return "somebody";
}

}  // namespace

Gate::Gate(EventLoop& loop, UniqueFd listening, UniqueFd datagrams, Events events)
    : loop_(loop),
      events_(std::move(events)),
      datagrams_(datagrams ? std::make_unique<Datagrams>(
                                 loop, std::move(datagrams),
                                 [this](const std::string& fingerprint) { return seat_with(fingerprint); })
                           : nullptr),
      reconsider_(loop.make_timer([this] { reconsider(); })),
      acceptor_(loop, std::move(listening), [this](UniqueFd socket) { accept(std::move(socket)); }) {}

Gate::~Gate() {
  // Their sessions still know their connections, and these their sessions.
  seats_.clear();
}

std::expected<void, std::string> Gate::configure(Configuration configuration) {
  auto context = link::TlsContext::make({.role = link::TlsContext::Role::gate,
                                         .own = configuration.own,
                                         .authority = configuration.authority,
                                         .peer = link::TlsContext::Peer::may_be_unknown,
                                         .protocols = {link::kLinkProtocol, link::kEnrolmentProtocol}});
  if (!context) return std::unexpected(std::move(context.error()));
  auto for_datagrams = link::TlsContext::make({.role = link::TlsContext::Role::gate,
                                               .own = configuration.own,
                                               .authority = configuration.authority,
                                               .transport = link::TlsContext::Transport::datagrams,
                                               .protocols = {link::kDatagramProtocol}});
  if (!for_datagrams) return std::unexpected(std::move(for_datagrams.error()));
  if (datagrams_) datagrams_->use(*for_datagrams);
  const bool first = !context_;
  context_ = std::move(*context);
  configuration_ = std::move(configuration);
  std::vector<Seat*> strangers;
  for (const auto& [name, seat] : seats_) {
    const KnownSeat* known = configuration_.seat_of(seat->known().fingerprint);
    if (known == nullptr || *known != seat->known()) strangers.push_back(seat.get());
  }
  for (Seat* seat : strangers) seat->end(Reason::not_allowed);
  set_workers();
  reconsider();
  if (first) acceptor_.start();
  events_.changed();
  return {};
}

void Gate::set_workers() {
  std::erase_if(workers_, [this](const auto& entry) {
    return std::ranges::find(configuration_.machines, entry.second->machine()) == configuration_.machines.end();
  });
  for (const std::string& machine : configuration_.machines) {
    auto& worker = workers_[machine];
    if (worker) continue;
    worker = std::make_unique<Worker>(
        loop_, machine,
        Worker::Events{.ask = [this](const std::string& name) { events_.connect_worker(name); },
                       .changed = [this] { reconsider_->arm(Nanoseconds(0)); }});
  }
}

void Gate::worker_connected(std::string_view machine, UniqueFd socket) {
  const auto found = workers_.find(machine);
  if (found != workers_.end() && socket) found->second->connected(std::move(socket));
}

void Gate::reconsider() {
  // One that ends meanwhile is no longer among them, but lives until the loop turns.
  std::vector<Seat*> present;
  for (const auto& [name, seat] : seats_) present.push_back(seat.get());
  for (Seat* seat : present) seat->reconsider();
  events_.changed();
}

Worker* Gate::worker_for(const std::string& seat, const std::string& peripheral) {
  const auto found = workers_.find(configuration_.machine_for(seat, peripheral));
  return found == workers_.end() ? nullptr : found->second.get();
}

Seat* Gate::seat_with(const std::string& fingerprint) {
  const KnownSeat* const known = configuration_.seat_of(fingerprint);
  const auto found = known == nullptr ? seats_.end() : seats_.find(known->name);
  return found == seats_.end() || found->second->known() != *known ? nullptr : found->second.get();
}

void Gate::accept(UniqueFd socket) {
  if (!context_) return;
  make_room();
  std::string address = address_of(socket);
  auto lane = std::make_unique<link::LaneConnection>(loop_, std::move(socket), *context_,
                                                     static_cast<link::LaneConnection::Owner&>(*this));
  const link::LaneConnection* const key = lane.get();
  connections_.emplace(key,
                       Connection{.lane = std::move(lane), .address = std::move(address), .number = ++last_number_});
}

void Gate::make_room() {
  const auto stranger = [](const auto& entry) { return entry.second.seat == nullptr; };
  if (static_cast<std::size_t>(std::ranges::count_if(connections_, stranger)) < kMaxStrangers) return;
  auto oldest = connections_.end();
  for (auto one = connections_.begin(); one != connections_.end(); ++one) {
    if (!stranger(*one)) continue;
    if (oldest == connections_.end() || one->second.number < oldest->second.number) oldest = one;
  }
  connections_.erase(oldest);
}

void Gate::refuse(Connection& connection, Reason reason, std::string_view text) {
  if (limit_.allow(loop_.now())) {
    log::warning(
        "gate", fmt::format("{} is refused: {}{}{}", connection.address, name(reason), text.empty() ? "" : ": ", text));
  }
  connection.lane->refuse(reason, text);
}

void Gate::connection_established(link::LaneConnection& lane) {
  Connection& connection = connections_.at(&lane);
  const link::TlsPeer& peer = lane.peer();
  if (peer.protocol == link::kEnrolmentProtocol) return begin_enrolment(connection);
  if (peer.fingerprint.empty()) return refuse(connection, Reason::not_allowed, "it has no certificate");
  if (configuration_.seat_of(peer.fingerprint) == nullptr) {
    return refuse(connection, Reason::not_allowed,
                  fmt::format("no seat that may come has the certificate of \"{}\"", peer.common_name));
  }
}

void Gate::connection_greeted(link::LaneConnection& lane, const link::Hello& hello) {
  Connection& connection = connections_.at(&lane);
  const KnownSeat* const known = configuration_.seat_of(lane.peer().fingerprint);
  if (known == nullptr) return refuse(connection, Reason::not_allowed, "it may not come any more");
  const auto found = seats_.find(known->name);
  if (hello.purpose != link::Purpose::begin) {
    // Another seat's session is as unknown to it as none.
    if (found == seats_.end() || found->second->known() != *known || !found->second->session().admits(hello)) {
      return refuse(connection, Reason::unknown_session, {});
    }
    connection.seat = found->second.get();
    return connection.seat->take(lane, hello);
  }
  Seat& seat = seat_for(*known, hello);
  connection.seat = &seat;
  seat.take(lane, hello);
  // A session that has not begun has nobody to end it.
  if (!seat.session().established()) seat.end(Reason::unknown_session);
}

/// A new session for the seat; an older one is over: its agent would have resumed it.
Seat& Gate::seat_for(const KnownSeat& known, const link::Hello& hello) {
  if (const auto old = seats_.find(known.name); old != seats_.end()) old->second->end(Reason::replaced);
  log::info("gate", fmt::format("{} is there (\"{}\")", known.name, hello.name));
  auto& seat = seats_[known.name];
  seat = std::make_unique<Seat>(loop_, static_cast<SeatHost&>(*this), known, configuration_.name, !!datagrams_);
  return *seat;
}

void Gate::connection_closed(link::LaneConnection& lane, const std::string& why) {
  const auto found = connections_.find(&lane);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.seat != nullptr) {
    connection.seat->forget(lane);
  } else if (!why.empty() && limit_.allow(loop_.now())) {
    log::warning("gate", fmt::format("{}: {}", connection.address, why));
  }
  // It is the one that is calling.
  loop_.defer([old = std::move(connection)] {});
  connections_.erase(found);
}

void Gate::seat_ended(Seat& seat) {
  for (auto& [key, connection] : connections_) {
    if (connection.seat == &seat) connection.seat = nullptr;
  }
  const auto found = seats_.find(seat.known().name);
  if (found == seats_.end() || found->second.get() != &seat) return;
  loop_.defer([old = std::move(found->second)] {});
  seats_.erase(found);
  events_.changed();
}

void Gate::begin_enrolment(Connection& connection) {
  const auto count =
      std::ranges::count_if(connections_, [](const auto& one) { return one.second.enrolment != nullptr; });
  if (static_cast<std::size_t>(count) >= kMaxEnrolments) {
    return refuse(connection, Reason::busy, "too many want this at once");
  }
  const std::uint64_t id = connection.number;
  connection.enrolment = std::make_unique<Enrolment>(
      loop_, *connection.lane, id, [this, id, address = connection.address](const link::EnrolmentRequest& request) {
        log::info("gate", fmt::format("{} has come with a token", address));
        return events_.enrol({.id = id, .digest = link::digest_of(request.secret), .request = request.request});
      });
  connection.lane->divert(*connection.enrolment);
}

void Gate::answer(const EnrolmentVerdict& verdict) {
  for (const auto& [key, connection] : connections_) {
    if (connection.number != verdict.id || !connection.enrolment) continue;
    if (verdict.certificate.empty()) {
      log::warning("gate", fmt::format("{}: the token is not taken: {}", connection.address, verdict.why));
    }
    return connection.enrolment->answer(verdict, configuration_.authority);
  }
}

State Gate::state() const {
  State state;
  std::size_t shown = 0;
  for (const auto& [name, seat] : seats_) {
    if (!seat->session().established() || seat->session().ended()) continue;
    SeatState& one = state.seats.emplace_back(seat->state());
    one.peripherals.resize(std::min(one.peripherals.size(), kMaxShown - shown));
    shown += one.peripherals.size();
  }
  for (const auto& [name, worker] : workers_) state.machines.push_back({.name = name, .worker = worker->present()});
  return state;
}

}  // namespace periplex::gate

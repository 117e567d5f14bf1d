// SPDX-License-Identifier: Apache-2.0
#include "gate/datagrams.hpp"

#include <algorithm>
#include <utility>

#include "gate/seat.hpp"
#include "link/datagram.hpp"

namespace periplex::gate {
namespace {

/// RFC 6347 §4.2.2 and §4.1: a handshake record of the first epoch that begins a handshake. Its sender knows nothing of
/// an association that there may be at its address.
bool is_client_hello(ByteView datagram) {
  constexpr std::byte kHandshake{22};
  constexpr std::byte kClientHello{1};
  constexpr std::size_t kEpoch = 3;
  constexpr std::size_t kMessage = 13;
  return datagram.size() > kMessage && datagram[0] == kHandshake && datagram[kEpoch] == std::byte{} &&
         datagram[kEpoch + 1] == std::byte{} && datagram[kMessage] == kClientHello;
}

}  // namespace

class Datagrams::Association final : private link::DtlsUser {
 public:
  Association(Datagrams& owner, UdpPath path, link::DtlsEndPtr accepted)
      : owner_(owner),
        path_(std::move(path)),
        number_(++owner.last_number_),
        bind_time_(owner.loop_.make_timer([this] { owner_.remove(*this); })),
        dtls_(owner.loop_, std::move(accepted), static_cast<link::DtlsUser&>(*this)) {}

  void start() { dtls_.start(); }
  void receive(const UdpPath& path, ByteView datagram) {
    path_ = path;  // whichever of our addresses it speaks to
    dtls_.receive(datagram);
  }
  void send(ByteView bytes) { dtls_.send(bytes); }
  void belongs_to(Seat& seat) {
    bind_time_->cancel();
    seat_ = &seat;
  }
  /// Nothing is called any more.
  void close() {
    bind_time_->cancel();
    seat_ = nullptr;
    dtls_.close();
  }

  [[nodiscard]] const Seat* seat() const { return seat_; }
  [[nodiscard]] const Bytes& address() const { return path_.far; }
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] bool established() const { return dtls_.established(); }

 private:
  void dtls_established(const std::string& fingerprint) override {
    fingerprint_ = fingerprint;
    bind_time_->arm(kBindTime);
  }
  void dtls_received(ByteView bytes) override {
    if (seat_ != nullptr) return seat_->receive_datagram(bytes);
    if (!owner_.bind(*this, bytes)) owner_.remove(*this);
  }
  void dtls_send(ByteView datagram) override { owner_.socket_.send(path_, datagram); }
  void dtls_closed(const std::string&) override { owner_.remove(*this); }

  Datagrams& owner_;
  UdpPath path_;
  const std::uint64_t number_;
  std::string fingerprint_;
  Seat* seat_ = nullptr;
  std::unique_ptr<Timer> bind_time_;
  link::DtlsAssociation dtls_;
};

Datagrams::Datagrams(EventLoop& loop, UniqueFd socket, std::function<Seat*(const std::string& fingerprint)> seat_of)
    : loop_(loop),
      seat_of_(std::move(seat_of)),
      socket_(loop, std::move(socket), [this](const UdpPath& path, ByteView datagram) { received(path, datagram); }) {
  socket_.mark_urgent();
}

Datagrams::~Datagrams() = default;

void Datagrams::received(const UdpPath& path, ByteView datagram) {
  if (!reception_) return;
  const auto known = associations_.find(path.far);
  if (known == associations_.end()) return greet(path, datagram);
  if (known->second->established() && is_client_hello(datagram)) return greet(path, datagram);
  known->second->receive(path, datagram);
}

void Datagrams::greet(const UdpPath& path, ByteView datagram) {
  auto verdict = reception_->receive(datagram, path.far);
  if (verdict.answer) socket_.send(path, *verdict.answer);
  if (!verdict.accepted) return;
  if (const auto old = associations_.find(path.far); old != associations_.end()) remove(*old->second);
  make_room();
  auto& association = associations_[path.far];
  association = std::make_unique<Association>(*this, path, std::move(verdict.accepted));
  association->start();
}

void Datagrams::make_room() {
  std::size_t strangers = 0;
  const Association* oldest = nullptr;
  for (const auto& [address, association] : associations_) {
    if (association->seat() != nullptr) continue;
    ++strangers;
    if (oldest == nullptr || association->number() < oldest->number()) oldest = association.get();
  }
  if (strangers >= kMaxStrangers) remove(*oldest);
}

/// The first thing that an association says is whose it is.
bool Datagrams::bind(Association& association, ByteView bytes) {
  const auto datagram = link::Datagram::parse(bytes);
  Seat* const seat = datagram ? seat_of_(association.fingerprint()) : nullptr;
  if (seat == nullptr) return false;
  // The seat's session answers from inside, so it must find the way. What does not belong to it leaves the older one.
  Association* const older = std::exchange(bound_[seat], &association);
  if (!seat->bind(*datagram)) {
    if (older == nullptr) return bound_.erase(seat), false;
    bound_[seat] = older;
    return false;
  }
  association.belongs_to(*seat);
  if (older != nullptr) remove(*older);
  return true;
}

/// It may be the one that is calling.
void Datagrams::remove(const Association& association) {
  const auto found = associations_.find(association.address());
  if (found == associations_.end() || found->second.get() != &association) return;
  const Seat* const seat = association.seat();
  if (const auto bound = bound_.find(seat); bound != bound_.end() && bound->second == &association) bound_.erase(bound);
  found->second->close();
  loop_.defer([old = std::move(found->second)] {});
  associations_.erase(found);
}

void Datagrams::send(const Seat& seat, ByteView bytes) {
  if (const auto found = bound_.find(&seat); found != bound_.end()) found->second->send(bytes);
}

void Datagrams::forget(const Seat& seat) {
  const auto found = bound_.find(&seat);
  if (found == bound_.end()) return;
  Association* const association = found->second;
  bound_.erase(found);
  remove(*association);
}

}  // namespace periplex::gate

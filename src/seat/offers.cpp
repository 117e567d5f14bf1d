// SPDX-License-Identifier: Apache-2.0
#include "seat/offers.hpp"

namespace periplex::seat {

std::string_view name(State state) {
  switch (state) {
    case State::denied:
      return "denied";
    case State::asking:
      return "asking";
    case State::refused:
      return "refused";
    case State::offered:
      return "offered";
    case State::taken_back:
      return "taken back";
  }
  return "?";
}

std::string Offers::arrived(Peripheral peripheral, std::unique_ptr<Source> source) {
  const std::string id = identifiers_.take(peripheral);
  left(id);  // two in one place: the earlier one must have gone unnoticed
  Entry& entry = entries_[id];
  entry.decision = rules_.decide(peripheral);
  entry.offer = {.id = id, .peripheral = std::move(peripheral), .source = source.get()};
  entry.source = std::move(source);
  entry.arrival = ++arrivals_;
  if (entry.decision.action == Action::allow) {
    offer(entry);
  } else if (entry.decision.action == Action::ask && consent_ == nullptr) {
    entry.state = State::refused;
  } else if (entry.decision.action == Action::ask) {
    entry.state = State::asking;
    consent_->ask(id, entry.offer.peripheral, [weak = std::weak_ptr(self_), id, arrival = entry.arrival](bool yes) {
      if (const auto self = weak.lock()) (*self)->on_answer(id, arrival, yes);
    });
  }
  return id;
}

void Offers::on_answer(const std::string& id, std::uint64_t arrival, bool yes) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.arrival != arrival || found->second.state != State::asking) return;
  if (yes) {
    offer(found->second);
  } else {
    found->second.state = State::refused;
  }
}

void Offers::offer(Entry& entry) {
  entry.state = State::offered;
  listener_.on_offered(entry.offer);
}

void Offers::left(const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (found->second.state == State::offered) listener_.on_withdrawn(found->second.offer, Withdrawal::unplugged);
  identifiers_.give_back(id);
  entries_.erase(found);
}

bool Offers::take_back(const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state != State::offered) return false;
  found->second.state = State::taken_back;
  listener_.on_withdrawn(found->second.offer, Withdrawal::taken_back);
  return true;
}

bool Offers::offer_again(const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state != State::taken_back) return false;
  offer(found->second);
  return true;
}

}  // namespace periplex::seat

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "seat/peripheral.hpp"
#include "seat/rules.hpp"
#include "usb/device.hpp"

namespace periplex::seat {

/// The error is a sentence for people. Called on the loop, perhaps from inside `open`.
using OnOpened = std::move_only_function<void(std::expected<std::unique_ptr<usb::Device>, std::string>)>;

/// Takes a peripheral for a machine.
class Source {
 public:
  virtual ~Source() = default;
  /// The device has been taken from this computer until it is destroyed. `gone` is called, once, when it is found not
  /// to be there any more.
  virtual void open(std::function<void()> gone, OnOpened on_opened) = 0;
};

/// A peripheral that a machine may have: what a session with a gate gets.
struct Offer {
  std::string id;
  Peripheral peripheral;
  Source* source = nullptr;
};

/// Asks the person at the seat. The answer comes on the loop, perhaps at once, perhaps never.
class Consent {
 public:
  using Answer = std::move_only_function<void(bool)>;
  virtual ~Consent() = default;
  virtual void ask(const std::string& id, const Peripheral& peripheral, Answer answer) = 0;
};

/// Why a peripheral is not on offer any more.
enum class Withdrawal : std::uint8_t { unplugged, taken_back };

/// Hears what is on offer.
class OffersListener {
 public:
  virtual void on_offered(const Offer& offer) = 0;
  /// It has been unplugged, or taken back: whoever has opened it closes it now.
  virtual void on_withdrawn(const Offer& offer, Withdrawal why) = 0;

 protected:
  ~OffersListener() = default;
};

/// Where a peripheral is on its way to machines.
enum class State : std::uint8_t {
  denied,   ///< by a rule
  asking,   ///< the person at the seat
  refused,  ///< by the person at the seat
  offered,
  taken_back,  ///< by the person at the seat
};

[[nodiscard]] std::string_view name(State state);

/// Everything that is plugged in, and what of it is offered: rules first, then whom they ask, then whoever takes it
/// back.
class Offers {
 public:
  struct Entry {
    Offer offer;
    Decision decision;
    State state = State::denied;
    std::unique_ptr<Source> source;
    std::uint64_t arrival = 0;  // tells it from one with the same id that came before
  };

  /// Without `consent` what a rule wants asked for is refused.
  Offers(Rules rules, Consent* consent, OffersListener& listener)
      : rules_(std::move(rules)), consent_(consent), listener_(listener), self_(std::make_shared<Offers*>(this)) {}
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;

  /// Returns its id. `source` lives as long as it is plugged in.
  std::string arrived(Peripheral peripheral, std::unique_ptr<Source> source);
  void left(const std::string& id);

  /// The person at the seat wants it back; false if it is not offered. It stays so until `offer_again`.
  bool take_back(const std::string& id);
  /// False if it has not been taken back.
  bool offer_again(const std::string& id);

  [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  void on_answer(const std::string& id, std::uint64_t arrival, bool yes);
  void offer(Entry& entry);

  const Rules rules_;
  Consent* consent_;
  OffersListener& listener_;
  Identifiers identifiers_;
  std::map<std::string, Entry> entries_;
  std::uint64_t arrivals_ = 0;
  std::shared_ptr<Offers*> self_;  // expires with this: answers find nobody then
};

}  // namespace periplex::seat

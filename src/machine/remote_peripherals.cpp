// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_peripherals.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace periplex::machine {

RemotePeripherals::~RemotePeripherals() {
  leaving_->clear();  // a task that is still to come finds nothing
}

Outcome<> RemotePeripherals::check(const Seat& seat) const {
  const bool terminated = seat.disk.or_else(services_.disks).terminate.value_or(true);
  if (!terminated && !machine::check({false, seat.disk.read_ahead, seat.disk.write_cache})) {
    return std::unexpected(Refusal{Reason::conflict,
                                   "this machine has its disks tunnelled, without read-ahead and write cache",
                                   "add terminate=true, or leave read-ahead and write-cache out"});
  }
  if (!services_.want) {
    return std::unexpected(Refusal{Reason::conflict, "no gate can bring this machine a stream",
                                   "start periplex-machine with --streams PATH"});
  }
  const bool taken = std::ranges::any_of(list_, [&](const auto& one) {
    return one->description().seat() != nullptr && one->description().seat()->peripheral == seat.peripheral;
  });
  if (!taken) return {};
  return std::unexpected(
      Refusal{Reason::conflict, fmt::format("{} is attached already", seat.peripheral), "detach it first"});
}

Outcome<PeripheralView> RemotePeripherals::attach(Description description, Files files) {
  if (Seat* const seat = std::get_if<Seat>(&description.options)) {
    if (auto good = check(*seat); !good) return std::unexpected(std::move(good.error()));
    seat->disk = seat->disk.or_else(services_.disks);
  }
  const auto seat = description.seat() == nullptr ? std::nullopt : std::optional(*description.seat());
  UniqueFd socket = files.empty() ? UniqueFd() : std::move(files.front());
  auto made = RemotePeripheral::make(std::move(description), std::move(socket), services_);
  if (!made) return std::unexpected(std::move(made.error()));
  list_.push_back(std::move(*made));
  if (seat) services_.want(seat->peripheral);
  return list_.back()->view();
}

bool RemotePeripherals::detach(std::string_view id) {
  const auto found = std::ranges::find_if(list_, [&](const auto& one) { return one->id() == id; });
  if (found == list_.end()) return false;
  (*found)->leave();
  if (const Seat* seat = (*found)->description().seat()) services_.leave(seat->peripheral);
  leaving_->push_back(std::move(*found));
  list_.erase(found);
  services_.loop.defer([leaving = leaving_] { leaving->clear(); });
  return true;
}

void RemotePeripherals::take_stream(std::string_view name, UniqueFd stream) {
  for (const auto& one : list_) {
    const Seat* const seat = one->description().seat();
    if (seat != nullptr && seat->peripheral == name) return one->connect(std::move(stream));
  }
}

bool RemotePeripherals::has(std::string_view id) const {
  return std::ranges::any_of(list_, [&](const auto& one) { return one->id() == id; });
}

void RemotePeripherals::add_views(std::vector<PeripheralView>& to) const {
  for (const auto& one : list_) to.push_back(one->view());
}

void RemotePeripherals::add_statistics(std::vector<PeripheralStatistics>& to) const {
  for (const auto& one : list_) to.push_back(one->statistics());
}

void RemotePeripherals::observe(usb::TransferObserver& observer) {
  for (const auto& one : list_) {
    if (usb::ObservedDevice* device = one->device()) device->observe(observer);
  }
}

void RemotePeripherals::ignore(usb::TransferObserver& observer) {
  for (const auto& one : list_) {
    if (usb::ObservedDevice* device = one->device()) device->ignore(observer);
  }
}

}  // namespace periplex::machine

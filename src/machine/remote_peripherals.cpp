// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_peripherals.hpp"

#include <algorithm>
#include <utility>

namespace periplex::machine {

RemotePeripherals::~RemotePeripherals() {
  leaving_->clear();  // a task that is still to come finds nothing
}

Outcome<PeripheralView> RemotePeripherals::attach(Description description, Files files) {
  UniqueFd socket = files.empty() ? UniqueFd() : std::move(files.front());
  auto made = RemotePeripheral::make(std::move(description), std::move(socket), services_);
  if (!made) return std::unexpected(std::move(made.error()));
  list_.push_back(std::move(*made));
  return list_.back()->view();
}

bool RemotePeripherals::detach(std::string_view id) {
  const auto found = std::ranges::find_if(list_, [&](const auto& one) { return one->id() == id; });
  if (found == list_.end()) return false;
  (*found)->leave();
  leaving_->push_back(std::move(*found));
  list_.erase(found);
  services_.loop.defer([leaving = leaving_] { leaving->clear(); });
  return true;
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

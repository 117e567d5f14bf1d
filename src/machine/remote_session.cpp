// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_session.hpp"

#include <sys/random.h>

#include "attachment/remote_peripheral.hpp"
#include "base/check.hpp"
#include "remote/usbip/importer.hpp"
#include "remote/usbredir/importer.hpp"

namespace periplex::machine {
namespace {

attachment::InstanceId random_instance() {
  attachment::InstanceId id{};
  // So few bytes come at once or not at all (random(7)).
  PERIPLEX_CHECK(::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size()));
  return id;
}

}  // namespace

std::unique_ptr<remote::Session> make_remote_session(const Description& description, remote::SessionHost& host,
                                                     Scheduler& scheduler) {
  if (const Usbip* usbip = description.usbip()) {
    return std::make_unique<remote::usbip::Importer>(
        host, remote::usbip::ImportOptions{.bus_id = usbip->bus_id, .reports_ahead = usbip->reports_ahead}, scheduler);
  }
  if (const Seat* seat = description.seat()) {
    const std::string id = seat->peripheral.substr(seat->peripheral.find('/') + 1);
    return std::make_unique<attachment::RemotePeripheral>(host, scheduler, random_instance,
                                                          attachment::PeripheralOptions{.unique_id = id});
  }
  if (description.usbredir() != nullptr) return std::make_unique<remote::usbredir::Importer>(host, scheduler);
  PERIPLEX_CHECK(description.is_remote());
  return nullptr;
}

}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_session.hpp"

#include "base/check.hpp"
#include "machine/seat_session.hpp"
#include "remote/usbip/importer.hpp"
#include "remote/usbredir/importer.hpp"

namespace periplex::machine {

RemoteSession make_remote_session(const Description& description, remote::SessionHost& host, Scheduler& scheduler) {
  if (const Usbip* usbip = description.usbip()) {
    return {std::make_unique<remote::usbip::Importer>(
        host, remote::usbip::ImportOptions{.bus_id = usbip->bus_id, .reports_ahead = usbip->reports_ahead}, scheduler)};
  }
  if (const Seat* seat = description.seat()) {
    auto session = std::make_unique<SeatSession>(*seat, host, scheduler);
    const SeatSession* const at_seat = session.get();
    return {std::move(session), at_seat};
  }
  PERIPLEX_CHECK(description.usbredir() != nullptr);
  return {std::make_unique<remote::usbredir::Importer>(host, scheduler)};
}

}  // namespace periplex::machine

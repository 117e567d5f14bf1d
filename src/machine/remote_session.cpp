// SPDX-License-Identifier: Apache-2.0
#include "machine/remote_session.hpp"

#include "base/check.hpp"
#include "remote/usbip/importer.hpp"

namespace periplex::machine {

std::unique_ptr<remote::Session> make_remote_session(const Description& description, remote::SessionHost& host,
                                                     Scheduler& scheduler) {
  if (const Usbip* usbip = description.usbip()) {
    return std::make_unique<remote::usbip::Importer>(
        host, remote::usbip::ImportOptions{.bus_id = usbip->bus_id, .reports_ahead = usbip->reports_ahead}, scheduler);
  }
  PERIPLEX_CHECK(description.is_remote());
  return nullptr;
}

}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/time.hpp"
#include "machine/peripheral.hpp"
#include "remote/session.hpp"

namespace periplex::machine {

class SeatSession;

struct RemoteSession {
  std::unique_ptr<remote::Session> session;
  const SeatSession* seat = nullptr;  ///< the same, if the peripheral is at a seat
};

/// The session that speaks the protocol of a remote peripheral (`Description::is_remote`). A new kind of these is added
/// here, in peripheral.hpp, and in apps/open_file.cpp, which makes its connection.
[[nodiscard]] RemoteSession make_remote_session(const Description& description, remote::SessionHost& host,
                                                Scheduler& scheduler);

}  // namespace periplex::machine

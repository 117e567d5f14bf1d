// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace periplex::link {

/// Why a connection was refused, a channel closed, or a session ended. The numbers are the protocol's; one that is not
/// in this list comes from a newer release and is passed on as it is.
enum class Reason : std::uint16_t {
  finished = 0,  ///< nothing went wrong

  // A greeting that leads to nothing.
  bad_magic = 1,           ///< the far end speaks something else
  no_common_version = 2,   ///< no version that both ends speak
  missing_capability = 3,  ///< one end requires what the other lacks
  unknown_session = 4,     ///< no such session (any more), or not this secret
  bad_lane = 5,            ///< a lane that the session does not have
  too_many_sessions = 6,
  not_allowed = 7,  ///< the certificate is not one that may do this

  // The far end broke the protocol; the session ends.
  frame_too_long = 16,
  unknown_frame = 17,     ///< a mandatory type or flag that this release does not know
  bad_frame = 18,         ///< the payload is not what its type says
  unexpected_frame = 19,  ///< a type that does not belong there, or from that end
  unknown_channel = 20,   ///< a channel that was never open
  channel_rebound = 21,   ///< a channel's number was used for another peripheral
  too_many_channels = 22,
  too_many_peripherals = 23,
  credit_exceeded = 24,  ///< more bytes than were allowed
  credit_overflow = 25,  ///< more credit than there can be
  bad_compression = 26,
  wrong_lane = 27,     ///< a channel's frame on the other lane
  does_not_read = 28,  ///< what had to be said could not be sent for too long

  // The network.
  silent = 48,          ///< nothing was heard for too long: half open, most likely
  replaced = 49,        ///< a newer connection took the lane's place
  lane_lost = 50,       ///< the connection ended
  resume_timeout = 51,  ///< nobody resumed the session in time

  // A peripheral or its channel.
  withdrawn = 64,      ///< its owner offers it no more
  not_offered = 65,    ///< no such peripheral
  busy = 66,           ///< the peripheral has a channel already
  closed_before = 67,  ///< the channel had been closed; word of it was lost with a connection
  unplugged = 68,
  taken_back = 69,  ///< the person at the seat wants it
  refused = 70,     ///< a rule, or a person, says no
  worker_gone = 71,
  device_failed = 72,
};

/// The reason's name as docs/protocol.md prints it; "unknown reason" for one that is not in the list.
[[nodiscard]] std::string_view name(Reason reason);

}  // namespace periplex::link

// SPDX-License-Identifier: Apache-2.0
#include "link/reason.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace periplex::link {
namespace {

constexpr auto kNames = std::to_array<std::pair<Reason, std::string_view>>({
    {Reason::finished, "finished"},
    {Reason::bad_magic, "bad magic"},
    {Reason::no_common_version, "no common version"},
    {Reason::missing_capability, "missing capability"},
    {Reason::unknown_session, "unknown session"},
    {Reason::bad_lane, "bad lane"},
    {Reason::too_many_sessions, "too many sessions"},
    {Reason::not_allowed, "not allowed"},
    {Reason::frame_too_long, "frame too long"},
    {Reason::unknown_frame, "unknown frame"},
    {Reason::bad_frame, "bad frame"},
    {Reason::unexpected_frame, "unexpected frame"},
    {Reason::unknown_channel, "unknown channel"},
    {Reason::channel_rebound, "channel rebound"},
    {Reason::too_many_channels, "too many channels"},
    {Reason::too_many_peripherals, "too many peripherals"},
    {Reason::credit_exceeded, "credit exceeded"},
    {Reason::credit_overflow, "credit overflow"},
    {Reason::bad_compression, "bad compression"},
    {Reason::wrong_lane, "wrong lane"},
    {Reason::does_not_read, "does not read"},
    {Reason::silent, "silent"},
    {Reason::replaced, "replaced"},
    {Reason::lane_lost, "lane lost"},
    {Reason::resume_timeout, "resume timeout"},
    {Reason::withdrawn, "withdrawn"},
    {Reason::not_offered, "not offered"},
    {Reason::busy, "busy"},
    {Reason::closed_before, "closed before"},
    {Reason::unplugged, "unplugged"},
    {Reason::taken_back, "taken back"},
    {Reason::refused, "refused"},
    {Reason::worker_gone, "worker gone"},
    {Reason::device_failed, "device failed"},
});

}  // namespace

std::string_view name(Reason reason) {
  const auto* const found = std::ranges::find(kNames, reason, &std::pair<Reason, std::string_view>::first);
  return found == kNames.end() ? "unknown reason" : found->second;
}

}  // namespace periplex::link

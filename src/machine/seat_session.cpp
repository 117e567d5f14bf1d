// SPDX-License-Identifier: Apache-2.0
#include "machine/seat_session.hpp"

#include <string>

#include "attachment/random_instance.hpp"

namespace periplex::machine {
namespace {

/// What the seat itself calls it.
std::string id_at_seat(const Seat& seat) {
  return seat.peripheral.substr(seat.peripheral.find('/') + 1);
}

storage::RemoteOptions options(const DiskSettings& settings) {
  return {.read_ahead = {.enabled = *settings.read_ahead > 0, .limit = *settings.read_ahead},
          .write_back = {.enabled = *settings.write_cache > 0, .limit = *settings.write_cache}};
}

}  // namespace

SeatSession::SeatSession(const Seat& seat, remote::SessionHost& host, Scheduler& scheduler)
    : settings_(seat.disk.or_else(kDefaultDiskSettings)),
      terminated_(*settings_.terminate ? std::make_unique<storage::TerminatedDisk>(scheduler, options(settings_))
                                       : nullptr),
      peripheral_(host, scheduler, attachment::random_instance,
                  attachment::PeripheralOptions{.unique_id = id_at_seat(seat)}, terminated_.get()) {}

std::optional<DiskView> SeatSession::disk() const {
  const auto& description = peripheral_.description();
  if (!description || !storage::is_disk(*description)) return std::nullopt;
  if (!terminated_ || !terminated_->shown()) return DiskView{};
  return DiskView{.terminated = true, .read_ahead = *settings_.read_ahead, .write_cache = *settings_.write_cache};
}

std::optional<DiskStatistics> SeatSession::disk_statistics() const {
  const auto counters = terminated_ ? terminated_->counters() : std::nullopt;
  if (!counters) return std::nullopt;
  return DiskStatistics{.commands = counters->commands,
                        .round_trips = counters->round_trips,
                        .bytes_read = counters->bytes_read,
                        .bytes_written = counters->bytes_written,
                        .read_ahead_hits = counters->read_ahead.hits,
                        .read_ahead_misses = counters->read_ahead.misses,
                        .read_ahead_bytes = counters->read_ahead.fetched_bytes,
                        .wasted_bytes = counters->read_ahead.wasted_bytes,
                        .early_writes = counters->early_writes,
                        .failed_early_writes = counters->failed_early};
}

}  // namespace periplex::machine

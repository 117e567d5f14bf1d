// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "attachment/remote_peripheral.hpp"
#include "base/time.hpp"
#include "machine/operations.hpp"
#include "remote/session.hpp"
#include "storage/attached/terminated_disk.hpp"

namespace periplex::machine {

/// The session with a peripheral at a seat: our own protocol's, and with it a disk's own way where there is a disk.
///
/// A disk is terminated unless its settings say otherwise, the agent cannot do that, or cannot drive the disk; then it
/// is tunnelled, as everything else is.
class SeatSession final : public remote::Session {
 public:
  /// `seat` says which peripheral it has to be. The references must outlive this.
  SeatSession(const Seat& seat, remote::SessionHost& host, Scheduler& scheduler);
  SeatSession(const SeatSession&) = delete;
  SeatSession& operator=(const SeatSession&) = delete;

  void connected() override { peripheral_.connected(); }
  void receive(ByteView bytes) override { peripheral_.receive(bytes); }
  void disconnected() override { peripheral_.disconnected(); }
  [[nodiscard]] std::vector<remote::Count> counts() const override { return peripheral_.counts(); }

  /// Empty for what is no disk, and while it is not known what it is.
  [[nodiscard]] std::optional<DiskView> disk() const;
  /// Empty while there is no terminated disk.
  [[nodiscard]] std::optional<DiskStatistics> disk_statistics() const;

 private:
  const DiskSettings settings_;
  std::unique_ptr<storage::TerminatedDisk> terminated_;  // null: never
  attachment::RemotePeripheral peripheral_;              // with that as its extension
};

}  // namespace periplex::machine

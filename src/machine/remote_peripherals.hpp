// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "machine/remote_peripheral.hpp"

namespace periplex::machine {

/// The peripherals of a machine that are somewhere else, in the order of attaching.
class RemotePeripherals {
 public:
  explicit RemotePeripherals(RemoteServices services) : services_(std::move(services)) {}
  RemotePeripherals(const RemotePeripherals&) = delete;
  RemotePeripherals& operator=(const RemotePeripherals&) = delete;
  /// The loop must have stopped.
  ~RemotePeripherals();

  [[nodiscard]] Outcome<PeripheralView> attach(Description description, Files files);
  /// Whether there was one.
  bool detach(std::string_view id);
  /// A gate has brought a stream for the peripheral SEAT/ID.
  void take_stream(std::string_view name, UniqueFd stream);
  /// Streams can come from now on.
  void set_streams(std::function<void(const std::string&)> want, std::function<void(const std::string&)> leave) {
    services_.want = std::move(want);
    services_.leave = std::move(leave);
  }
  [[nodiscard]] bool has(std::string_view id) const;

  void add_views(std::vector<PeripheralView>& to) const;
  void add_statistics(std::vector<PeripheralStatistics>& to) const;
  void observe(usb::TransferObserver& observer);
  void ignore(usb::TransferObserver& observer);

 private:
  [[nodiscard]] Outcome<> check(const Seat& seat) const;

  using List = std::vector<std::unique_ptr<RemotePeripheral>>;

  RemoteServices services_;
  List list_;
  std::shared_ptr<List> leaving_ = std::make_shared<List>();  // until the loop has turned
};

}  // namespace periplex::machine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "base/time.hpp"
#include "usb/batching/isochronous_pipe.hpp"

namespace periplex::usb::batching {

/// All isochronous pipes of a controller, by device and endpoint: what `Pipes` is for queues.
class IsochronousPipes {
 public:
  /// How long a guest whose processor does not get round to it is waited for. Linux queues 18 ms of sound ahead.
  static constexpr Nanoseconds kPatience = std::chrono::milliseconds(100);

  /// `window` in intervals: see `IsochronousPipe`.
  IsochronousPipes(Surroundings& surroundings, std::uint64_t window) : surroundings_(surroundings), window_(window) {}

  /// The pipe of `endpoint` of `device`, made if it is new.
  [[nodiscard]] IsochronousPipe& at(Device& device, EndpointAddress endpoint);
  /// How far ahead of the present interval the schedule is worth looking at.
  [[nodiscard]] std::uint64_t window() const { return window_; }

  /// Whether time should stand still before the interval `end`: a stream's next packet belongs before it, and the
  /// guest's driver is late with it. Not for longer than `kPatience`; then the driver has stopped the stream.
  [[nodiscard]] bool wait_for_guest(std::uint64_t end, Nanoseconds now);

  /// The end of `interval`: new packets are handed over, and streams that the guest has stopped are withdrawn.
  void end_interval(std::uint64_t interval);
  /// The schedule is switched off.
  void withdraw_all();
  /// Whether any stream runs.
  [[nodiscard]] bool streaming() const;

  /// The device was reset or configured anew: its pipes begin anew.
  void device_reset(Device& device);
  /// `device` is unplugged: it is not called any more, and its pipes are forgotten.
  void device_left(Device& device);
  /// After SET_CONFIGURATION or SET_INTERFACE: see `Surroundings::configured`. A stream that ends begins anew.
  void configured(Device& device, const SetupPacket& setup);

  void for_each(const Device& device, const VisitEndpoint& visit) const;

 private:
  using Key = std::pair<Device*, EndpointAddress>;

  Surroundings& surroundings_;
  std::uint64_t window_;
  std::map<Key, IsochronousPipe> pipes_;
  std::optional<Nanoseconds> late_since_;  // while the guest is waited for
};

}  // namespace periplex::usb::batching

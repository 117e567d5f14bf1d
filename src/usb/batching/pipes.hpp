// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "usb/batching/pipe.hpp"

namespace periplex::usb::batching {

/// All pipes of a controller, by device and endpoint.
///
/// A controller walks its schedule in rounds, several of them in a frame or one in several frames; neither number ever
/// goes back. `visit` is called for each queue that the schedule leads to. A pipe with requests in flight to which the
/// schedule has not led for a while, and for longer than it ever took before, is one that the guest has taken away.
/// Drivers also take queues out for a few frames only, to change something in them: Linux's UHCI driver does so with
/// every queue that has been waiting for 200 ms.
class Pipes {
 public:
  /// A schedule's longest period: a queue that comes round less often does not exist.
  static constexpr std::uint64_t kLongestPeriod = 1024;
  /// Frames for which a queue may be out of the schedule before what it had asked for is cancelled.
  static constexpr std::uint64_t kPatience = 50;

  explicit Pipes(Surroundings& surroundings) : surroundings_(surroundings) {}

  /// When the schedule is walked: frames pass with time, rounds are counted.
  struct Moment {
    std::uint64_t frame;
    std::uint64_t round;
  };

  /// The schedule has led to the queue of `endpoint` of `device`. `type` matters where the pipe is new.
  Activity visit(Device& device, EndpointAddress endpoint, TransferType type, QueueView& queue, Moment now);

  /// Cancels what the guest has taken away. To be called after rounds that have led to all queues that were due.
  void sweep(std::uint64_t frame);
  /// The controller was reset: everything is withdrawn.
  void withdraw_all();

  /// Whether the device side holds something of any pipe.
  [[nodiscard]] bool in_flight() const;

  /// The device was reset: its pipes begin anew.
  void device_reset(Device& device);
  /// `device` is unplugged: it is not called any more, and its pipes are forgotten.
  void device_left(Device& device);
  /// After SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(ENDPOINT_HALT): see `Surroundings::configured`.
  void configured(Device& device, const SetupPacket& setup);

  void for_each(const Device& device, const VisitEndpoint& visit) const;

 private:
  struct Key {
    Device* device;
    EndpointAddress endpoint;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::unique_ptr<Pipe> pipe;
    Moment visited{};                       // the last visit
    std::uint64_t period = kLongestPeriod;  // longest gap between two visits; the longest there is until known
    bool visited_twice = false;
  };

  Entry& entry(Device& device, EndpointAddress endpoint, TransferType type);

  Surroundings& surroundings_;
  std::map<Key, Entry> pipes_;
};

}  // namespace periplex::usb::batching

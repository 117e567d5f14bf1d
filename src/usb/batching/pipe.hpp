// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "guest/memory.hpp"
#include "usb/batching/queue_view.hpp"
#include "usb/batching/verification.hpp"
#include "usb/device.hpp"
#include "usb/endpoint_counters.hpp"
#include "usb/in_flight.hpp"

namespace periplex::usb::batching {

/// What a visit to a queue came to; the schedule's clock follows it.
enum class Activity : std::uint8_t {
  idle,        ///< nothing is queued
  pending,     ///< the device side is at it, and there is nothing new
  progressed,  ///< something was handed over or given back
};

/// What pipes may ask of the controller they belong to.
class Surroundings {
 public:
  [[nodiscard]] virtual guest::Memory& memory() = 0;
  [[nodiscard]] virtual InFlight& in_flight() = 0;
  [[nodiscard]] virtual const Verification& verification() const = 0;
  /// The device side has answered: the schedule should be walked soon (not from inside this call).
  virtual void answered() = 0;
  /// A descriptor points outside the guest's memory, a host system error in the manuals' words.
  virtual void memory_fault(guest::Fault fault) = 0;
  /// A control transfer that changes what the pipes know of `device` has succeeded.
  virtual void configured(Device& device, const SetupPacket& setup) = 0;

 protected:
  ~Surroundings() = default;
};

/// One endpoint of one device, behind a schedule that the guest may change at any time: what the device side has been
/// asked for on its behalf, and what came back.
///
/// Everything that touches guest memory happens inside `visit`, while the schedule leads to the queue: a queue that the
/// guest has taken out of its schedule is never read or written again.
class Pipe : protected TransferReceiver {
 public:
  virtual ~Pipe() = default;

  /// The schedule has led to the endpoint's queue. Gives back what the device side has answered, after verification,
  /// and hands over what is new.
  virtual Activity visit(QueueView& queue) = 0;

  /// The schedule has not led here for a moment. What was asked for goes on if the queue still shows it.
  virtual void note_absence() {}
  /// The guest has taken the queue, or all that was in it, away: what is in flight is cancelled. If the queue comes
  /// back as it was, what the device had done of it by then is done.
  virtual void withdraw() = 0;
  /// The device has forgotten what it had for us: the halt of this endpoint was cleared, or the setting of some
  /// interface was changed.
  virtual void halt_cleared() {}
  virtual void interface_changed() {}
  /// The device is gone, or is not to be called any more: nothing in flight will come back.
  virtual void abandon() = 0;

  /// Whether the device side holds something.
  [[nodiscard]] virtual bool in_flight() const = 0;
  [[nodiscard]] virtual TransferType type() const = 0;
  [[nodiscard]] const EndpointCounters& counters() const { return counters_; }

 protected:
  EndpointCounters counters_;
};

}  // namespace periplex::usb::batching

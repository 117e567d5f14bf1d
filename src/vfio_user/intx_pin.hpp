// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "loop/event_loop.hpp"
#include "vfio_user/event_notifier.hpp"

namespace periplex::vfio_user {

/// The INTx pin over an eventfd, "automasked": an edge is sent when the level is high and the pin is not masked, and
/// sending masks it. Unmasking while the level is still high sends again.
///
/// Unmasking comes in two ways. A client without in-kernel interrupts sends UNMASK messages; QEMU with KVM hands over a
/// *resample* descriptor, which the kernel signals at the guest's end of interrupt, and sends no more messages: that
/// one is watched on the loop.
class IntxPin {
 public:
  explicit IntxPin(EventLoop& loop) : loop_(loop) {}

  void set_level(bool high);
  void mask() { masked_ = true; }
  void unmask();
  /// Sends an edge regardless of level and mask.
  void trigger();

  /// Takes the descriptor that edges go to. Starts unmasked.
  void arm(EventNotifier trigger);
  /// Takes, or with nothing removes, the resample descriptor.
  void set_resample(std::optional<EventNotifier> resample);
  /// Drops both descriptors and the mask; the level stays.
  void disarm();

 private:
  void update();
  void on_resample();

  EventLoop& loop_;
  bool high_ = false;
  bool masked_ = false;
  std::optional<EventNotifier> trigger_;
  std::optional<EventNotifier> resample_;
  std::unique_ptr<EventLoop::Watch> watch_;  // of `resample_`; ends before it
};

}  // namespace periplex::vfio_user

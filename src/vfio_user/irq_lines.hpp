// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <system_error>
#include <vector>

#include "guest/interrupts.hpp"
#include "vfio_user/intx_pin.hpp"
#include "vfio_user/protocol.hpp"

namespace periplex::vfio_user {

/// A function's interrupts, sent through the descriptors that the client arms with "VFIO_USER_DEVICE_SET_IRQS".
///
/// Outlives clients: the function holds it as its `guest::Interrupts`, and each client arms and leaves it. A message of
/// a vector that is not armed is remembered and sent as soon as it is; it stays pending while a client de-arms and arms
/// again, and ends with a reset or the client. A function has MSI or MSI-X, not both: one set of vectors serves either.
class IrqLines final : public guest::Interrupts {
 public:
  explicit IrqLines(EventLoop& loop) : intx_(loop) {}

  void send_message(unsigned vector) override;
  [[nodiscard]] bool message_pending(unsigned vector) const override;
  void set_pin(bool asserted) override { intx_.set_level(asserted); }

  /// Does what `request` asks, for an interrupt type of which there are `available`. `data` holds its booleans, `fds`
  /// its descriptors. Nothing has changed if it fails.
  [[nodiscard]] std::expected<void, std::errc> set(const IrqSet& request, ByteView data, std::span<UniqueFd> fds,
                                                   std::uint32_t available);
  /// Drops all descriptors: the client is gone.
  void disarm();
  /// The function has been reset.
  void forget_pending();

 private:
  struct Vector {
    std::optional<EventNotifier> armed;
    bool pending = false;
  };
  using Done = std::expected<void, std::errc>;

  [[nodiscard]] Done take_descriptors(const IrqSet& request, std::span<UniqueFd> fds);
  [[nodiscard]] Done act(const IrqSet& request, unsigned vector);
  void arm(unsigned vector, std::optional<EventNotifier> notifier);
  void disable(std::uint32_t index);
  [[nodiscard]] Vector& at(unsigned vector);

  IntxPin intx_;
  std::vector<Vector> vectors_;  // grows to the highest one used
};

}  // namespace periplex::vfio_user

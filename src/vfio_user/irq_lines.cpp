// SPDX-License-Identifier: Apache-2.0
#include "vfio_user/irq_lines.hpp"

#include <bit>

#include "base/check.hpp"

namespace periplex::vfio_user {
namespace {

// PCI 3.0 §6.8.2: "an MSI-X Table Structure [...] up to a maximum of 2048 entries"
constexpr unsigned kMaxVectors = 2048;
constexpr std::uint32_t kDataFlags = IrqSet::kDataNone | IrqSet::kDataBool | IrqSet::kDataEventfd;
constexpr std::uint32_t kActionFlags = IrqSet::kActionMask | IrqSet::kActionUnmask | IrqSet::kActionTrigger;
constexpr auto kInvalid = std::errc::invalid_argument;

constexpr bool is_message(std::uint32_t index) {
  return index == kIrqMsi || index == kIrqMsix;
}

}  // namespace

IrqLines::Vector& IrqLines::at(unsigned vector) {
  PERIPLEX_CHECK(vector < kMaxVectors);
  if (vector >= vectors_.size()) vectors_.resize(vector + 1);
  return vectors_[vector];
}

void IrqLines::send_message(unsigned vector) {
  Vector& to = at(vector);
  if (to.armed) {
    to.armed->signal();
  } else {
    to.pending = true;
  }
}

bool IrqLines::message_pending(unsigned vector) const {
  return vector < vectors_.size() && vectors_[vector].pending;
}

void IrqLines::forget_pending() {
  for (Vector& vector : vectors_) vector.pending = false;
}

void IrqLines::disarm() {
  intx_.disarm();
  for (Vector& vector : vectors_) vector.armed.reset();
}

void IrqLines::disable(std::uint32_t index) {
  if (index == kIrqIntx) intx_.disarm();
  if (is_message(index)) {
    for (Vector& vector : vectors_) vector.armed.reset();
  }
}

void IrqLines::arm(unsigned vector, std::optional<EventNotifier> notifier) {
  Vector& to = at(vector);
  to.armed = std::move(notifier);
  if (to.armed && to.pending) {
    to.pending = false;
    to.armed->signal();
  }
}

std::expected<void, std::errc> IrqLines::set(const IrqSet& request, ByteView data, std::span<UniqueFd> fds,
                                             std::uint32_t available) {
  // "The flags are mutually exclusive for both sets."
  if (std::popcount(request.flags & kDataFlags) != 1 || std::popcount(request.flags & kActionFlags) != 1 ||
      (request.flags & ~(kDataFlags | kActionFlags)) != 0) {
    return std::unexpected(kInvalid);
  }
  // "a count (and start) of 0, with data flags of VFIO_IRQ_SET_DATA_NONE disables all interrupts of the index"
  if (request.flags == (IrqSet::kDataNone | IrqSet::kActionTrigger) && request.count == 0 && request.start == 0) {
    disable(request.index);
    return {};
  }
  if (request.start > available || request.count > available - request.start) return std::unexpected(kInvalid);
  if (request.index == kIrqErr) return {};  // our functions report no errors of the bus: nothing to keep
  if ((request.flags & IrqSet::kDataEventfd) != 0) return take_descriptors(request, fds);

  const bool all = (request.flags & IrqSet::kDataNone) != 0;
  if (!all && data.size() < request.count) return std::unexpected(kInvalid);
  for (std::uint32_t i = 0; i < request.count; ++i) {
    if (!all && data[i] == std::byte{0}) continue;
    if (auto done = act(request, request.start + i); !done) return done;
  }
  return {};
}

IrqLines::Done IrqLines::take_descriptors(const IrqSet& request, std::span<UniqueFd> fds) {
  // "If no file descriptors are provided, this de-assigns the specified previously configured interrupts."
  if (!fds.empty() && fds.size() != request.count) return std::unexpected(kInvalid);
  if ((request.flags & IrqSet::kActionMask) != 0) return std::unexpected(kInvalid);
  const bool resample = (request.flags & IrqSet::kActionUnmask) != 0;
  if (resample && request.index != kIrqIntx) return std::unexpected(kInvalid);
  std::vector<std::optional<EventNotifier>> notifiers(request.count);
  for (std::size_t i = 0; i < fds.size(); ++i) {
    notifiers[i] = EventNotifier::adopt(std::move(fds[i]));
    if (!notifiers[i]) return std::unexpected(kInvalid);
  }
  unsigned vector = request.start;
  for (std::optional<EventNotifier>& notifier : notifiers) {
    if (is_message(request.index)) {
      arm(vector++, std::move(notifier));
    } else if (resample) {
      intx_.set_resample(std::move(notifier));
    } else if (notifier) {
      intx_.arm(std::move(*notifier));
    } else {
      intx_.disarm();
    }
  }
  return {};
}

IrqLines::Done IrqLines::act(const IrqSet& request, unsigned vector) {
  const bool trigger = (request.flags & IrqSet::kActionTrigger) != 0;
  if (is_message(request.index)) {
    // Messages are not announced as maskable: mask bits live in the client's copy of the MSI-X table.
    if (!trigger) return std::unexpected(kInvalid);
    send_message(vector);
  } else if (trigger) {
    intx_.trigger();
  } else if ((request.flags & IrqSet::kActionMask) != 0) {
    intx_.mask();
  } else {
    intx_.unmask();
  }
  return {};
}

}  // namespace periplex::vfio_user

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "usb/batching/queue_view.hpp"

namespace periplex::usb::batching::testing {

/// A guest's queue without a controller: a list of descriptors that a test may change at any time.
class ListQueue final : public QueueView {
 public:
  struct Entry {
    Descriptor descriptor;
    bool active = true;
    bool stops_on_short = false;  ///< short packet detect
    std::optional<Outcome> outcome = {};
  };

  std::vector<Entry> entries;

  /// Queues a descriptor at the next address, with its buffer at `buffer`.
  Entry& add(Pid pid, guest::GuestAddress buffer, std::uint32_t length) {
    Descriptor descriptor{.address = guest::GuestAddress(next_address_), .pid = pid, .length = length};
    next_address_ += 0x20;
    if (length != 0) descriptor.add_piece(buffer, length);
    descriptor.words[0] = static_cast<std::uint32_t>(buffer.value);
    descriptor.words[1] = length;
    return entries.emplace_back(Entry{.descriptor = descriptor});
  }
  /// Queues packets of `packet` bytes for `size` bytes; the last one interrupts.
  void add_data_set(Pid pid, guest::GuestAddress buffer, std::uint32_t size, std::uint32_t packet) {
    for (std::uint32_t offset = 0; offset < size; offset += packet) {
      Entry& entry = add(pid, buffer + offset, std::min(packet, size - offset));
      const bool last = offset + packet >= size;
      entry.descriptor.interrupt_on_complete = last;
      entry.stops_on_short = pid == Pid::in && !last;
    }
  }
  /// The driver takes everything away that has not been given back.
  void withdraw() {
    for (Entry& entry : entries) entry.active = false;
    position = entries.size();
  }
  /// The driver sets the queue going again, behind what has been given back.
  void go_on() { stopped = false; }

  [[nodiscard]] std::size_t given_back() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(entries, [](const Entry& e) { return e.outcome.has_value(); }));
  }

  [[nodiscard]] std::optional<Descriptor> head() override { return stopped ? std::nullopt : descriptor_at(position); }
  [[nodiscard]] std::optional<Descriptor> after(guest::GuestAddress address) override {
    const auto found = std::ranges::find(entries, address, [](const Entry& entry) { return entry.descriptor.address; });
    if (found == entries.end()) return std::nullopt;
    return descriptor_at(static_cast<std::size_t>(found - entries.begin()) + 1);
  }
  bool retire(const Descriptor& descriptor, const Outcome& outcome) override {
    Entry& entry = entries.at(position);
    entry.active = false;
    entry.outcome = outcome;
    ++position;
    stopped = outcome.status != Status::ok || (entry.stops_on_short && outcome.ends_short(descriptor));
    return !stopped;
  }

  std::size_t position = 0;
  bool stopped = false;

 private:
  [[nodiscard]] std::optional<Descriptor> descriptor_at(std::size_t index) const {
    if (index >= entries.size() || !entries[index].active) return std::nullopt;
    return entries[index].descriptor;
  }

  std::uint64_t next_address_ = 0x1000;
};

}  // namespace periplex::usb::batching::testing

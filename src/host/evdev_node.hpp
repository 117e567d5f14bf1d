// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/evdev_feed.hpp"
#include "loop/event_loop.hpp"
#include "loop/unique_fd.hpp"

namespace periplex::host {

/// An opened input device: its events go to a feed.
///
/// Grabbed, it is this computer's no more until this is destroyed. That waits until all keys are up: otherwise this
/// computer would never hear that the key that started it all was released.
class EvdevNode {
 public:
  /// `file` is an opened node below /dev/input, not blocking.
  EvdevNode(EventLoop& loop, UniqueFd file, bool grab);
  EvdevNode(const EvdevNode&) = delete;
  EvdevNode& operator=(const EvdevNode&) = delete;

  /// The error is a sentence.
  [[nodiscard]] static std::expected<UniqueFd, std::string> open(const std::string& node);
  /// Of absolute axis `axis`.
  [[nodiscard]] EvdevRange range(std::uint16_t axis) const;

  /// From here on; `gone` is called once, when the device is not there any more.
  void start(EvdevFeed& feed, std::function<void()> gone);
  void show_leds(const usb::device::KeyboardLeds& leds);
  [[nodiscard]] bool grabbed() const { return grabbed_; }

 private:
  void read();
  void take(const EvdevEvent& event);
  void try_to_grab();
  [[nodiscard]] std::vector<std::uint16_t> pressed() const;
  void end();

  EventLoop& loop_;
  UniqueFd file_;
  const bool grab_;
  bool grabbed_ = false;
  bool lost_ = false;  // events, up to the next SYN_REPORT (linux: event-codes, SYN_DROPPED)
  EvdevFeed* feed_ = nullptr;
  std::function<void()> gone_;
  std::unique_ptr<EventLoop::Watch> watch_;
};

}  // namespace periplex::host

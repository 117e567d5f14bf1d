// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

namespace periplex::usb::device {

/// What a pointer has done and the guest has not been told of yet, in order.
///
/// Between two changes of buttons, motion is one event, however often the pointer moves: the newest position, or the
/// sum of all distances. A change of buttons is an event of its own, at the place where it happened, and is never lost;
/// when `kMaxEvents` wait, presses are refused, and releases become one event of the state they lead to.
class PointerQueue {
 public:
  static constexpr std::size_t kMaxEvents = 1024;
  /// The most that one report tells of a distance or a wheel: they are signed bytes.
  static constexpr int kMaxStep = 127;

  enum class Motion : std::uint8_t {
    absolute,  ///< `move` is given a position
    relative,  ///< `move` is given a distance
  };

  /// One report's worth. The wheels turn relatively, always.
  struct Event {
    std::uint8_t buttons = 0;
    int x = 0;
    int y = 0;
    int wheel = 0;
    int pan = 0;
    friend bool operator==(const Event&, const Event&) = default;
  };

  explicit PointerQueue(Motion motion) : motion_(motion) {}

  void move(int x, int y);
  void scroll(int wheel, int pan);
  /// All buttons at once, one bit each. `false` if a press among the changes was refused; nothing has changed then.
  [[nodiscard]] bool set_buttons(std::uint8_t buttons);
  [[nodiscard]] std::uint8_t buttons() const { return state_.buttons; }
  /// So many events more are surely taken.
  [[nodiscard]] std::size_t room() const { return kMaxEvents - std::min(kMaxEvents, events_.size()); }

  /// Takes the oldest event, or as much of it as one report can tell; the rest stays the oldest.
  std::optional<Event> take();
  /// Forgets all events. Buttons that are down become an event again if `announce`.
  void restart(bool announce);
  /// Where pointer and buttons are, with no motion.
  [[nodiscard]] Event state() const { return state_; }

 private:
  struct Queued {
    Event event;
    bool buttons_changed;
  };

  /// The motion that the newest event may still be merged with.
  Event& open_motion();
  void push_buttons();

  const Motion motion_;
  Event state_;
  std::deque<Queued> events_;
  bool buttons_behind_ = false;  // the buttons' state has no event yet because there was no room
};

}  // namespace periplex::usb::device

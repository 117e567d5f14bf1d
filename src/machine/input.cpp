// SPDX-License-Identifier: Apache-2.0
// What a person does at a keyboard or a pointer.
#include <fmt/format.h>

#include "machine/plugged.hpp"
#include "usb/device/key_names.hpp"
#include "usb/device/typing.hpp"

namespace periplex::machine {
namespace {

namespace device = usb::device;
using device::PointerButton;

constexpr std::pair<std::uint8_t, PointerButton> kButtons[] = {{pointer::kLeft, PointerButton::left},
                                                               {pointer::kRight, PointerButton::right},
                                                               {pointer::kMiddle, PointerButton::middle}};

Refusal nobody_listens(std::string_view id) {
  return {Reason::conflict, fmt::format("no driver in the guest uses {} yet", id),
          "wait until the guest has started; `periplex list` shows which peripherals are in use"};
}

Refusal queue_full(std::string_view id) {
  return {Reason::busy, fmt::format("the guest has not fetched enough from {} to take this, too", id),
          "wait a little, or send less at once"};
}

Refusal typing_refusal(const device::TypingError& error, std::string_view id) {
  switch (error.reason) {
    case device::TypingError::Reason::no_such_key:
      return {Reason::invalid, fmt::format("a US keyboard has no key for \"{}\"", error.name),
              "use characters of a US keyboard, and key names such as enter, f5 or ctrl"};
    case device::TypingError::Reason::nobody_listens:
      return nobody_listens(id);
    case device::TypingError::Reason::too_much:
      return queue_full(id);
  }
  return queue_full(id);
}

/// The most events that an action puts into a pointer's queue.
struct Cost {
  std::size_t operator()(const pointer::MoveTo&) const { return 1; }
  std::size_t operator()(const pointer::MoveBy&) const { return 1; }
  std::size_t operator()(const pointer::Scroll&) const { return 1; }
  std::size_t operator()(const pointer::Hold&) const { return std::size(kButtons); }
  std::size_t operator()(const pointer::Click&) const { return 2 * std::size(kButtons); }
};

/// Whether there is room for all of `actions`. Motion is never refused: it merges with what waits.
bool fit(const std::vector<pointer::Action>& actions, std::size_t room) {
  bool buttons = false;
  std::size_t cost = 0;
  for (const pointer::Action& action : actions) {
    buttons =
        buttons || std::holds_alternative<pointer::Hold>(action) || std::holds_alternative<pointer::Click>(action);
    cost += std::visit(Cost(), action);
  }
  return !buttons || cost <= room;
}

/// Carries one action out on a tablet or a mouse that can do it and has room for it.
class Act {
 public:
  Act(device::HidPointer& target, device::HidTablet* tablet, device::HidMouse* mouse)
      : target_(target), tablet_(tablet), mouse_(mouse) {}

  void operator()(const pointer::MoveTo& to) const {
    if (tablet_ != nullptr) tablet_->move_to(to.x, to.y);
  }
  void operator()(const pointer::MoveBy& by) const {
    if (mouse_ != nullptr) mouse_->move_by(by.x, by.y);
  }
  void operator()(const pointer::Hold& hold) const {
    for (const auto& [mask, button] : kButtons) {
      if ((hold.buttons & mask) == 0) {
        target_.release(button);
      } else {
        (void)target_.press(button);
      }
    }
  }
  void operator()(const pointer::Click& once) const {
    for (const auto& [mask, button] : kButtons) {
      if ((once.buttons & mask) == 0) continue;
      (void)target_.press(button);
      target_.release(button);
    }
  }
  void operator()(const pointer::Scroll& scroll) const { target_.scroll(scroll.notches, 0); }

 private:
  device::HidPointer& target_;
  device::HidTablet* tablet_;
  device::HidMouse* mouse_;
};

}  // namespace

Outcome<> Plugged::type(std::string_view text) {
  const auto typed = device::type_text(*std::get<device::HidKeyboard*>(typed_), text);
  if (!typed) return std::unexpected(typing_refusal(typed.error(), id()));
  return {};
}

Outcome<> Plugged::press(const std::vector<std::string>& chords) {
  device::HidKeyboard& keyboard = *std::get<device::HidKeyboard*>(typed_);
  std::size_t changes = 0;
  for (const std::string& chord : chords) {
    const auto keys = device::parse_chord(chord);
    if (!keys) {
      return std::unexpected(typing_refusal({device::TypingError::Reason::no_such_key, keys.error().name}, id()));
    }
    changes += 2 * keys->size();
  }
  if (!keyboard.configured()) return std::unexpected(nobody_listens(id()));
  if (changes > keyboard.room()) return std::unexpected(queue_full(id()));
  for (const std::string& chord : chords) {
    if (const auto typed = device::type_chord(keyboard, chord); !typed) {
      return std::unexpected(typing_refusal(typed.error(), id()));
    }
  }
  return {};
}

bool Plugged::can_point(const std::vector<pointer::Action>& actions) const {
  const bool tablet = std::holds_alternative<Tablet>(description_.options);
  const bool mouse = std::holds_alternative<Mouse>(description_.options);
  for (const pointer::Action& action : actions) {
    if (std::holds_alternative<pointer::MoveTo>(action) && !tablet) return false;
    if (std::holds_alternative<pointer::MoveBy>(action) && !mouse) return false;
  }
  return tablet || mouse;
}

Outcome<> Plugged::point(const std::vector<pointer::Action>& actions) {
  if (!emulated().configured()) return std::unexpected(nobody_listens(id()));
  auto* const* tablet = std::get_if<device::HidTablet*>(&typed_);
  auto* const* mouse = std::get_if<device::HidMouse*>(&typed_);
  device::HidPointer& target = tablet != nullptr ? static_cast<device::HidPointer&>(**tablet) : **mouse;
  const Act act(target, tablet != nullptr ? *tablet : nullptr, mouse != nullptr ? *mouse : nullptr);
  if (!fit(actions, target.room())) return std::unexpected(queue_full(id()));
  for (const pointer::Action& action : actions) std::visit(act, action);
  return {};
}

}  // namespace periplex::machine

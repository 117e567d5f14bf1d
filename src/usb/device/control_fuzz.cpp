// SPDX-License-Identifier: Apache-2.0
// Keyboard, tablet and mouse against any setup packets, transfers, cancels, resets and input: every transfer comes back
// exactly once, and never from inside submit.
#include <cstdint>
#include <memory>
#include <set>

#include "base/check.hpp"
#include "base/testing/virtual_time.hpp"
#include "usb/device/hid_keyboard.hpp"
#include "usb/device/hid_mouse.hpp"
#include "usb/device/hid_tablet.hpp"

namespace {

using namespace periplex;
using namespace periplex::usb;

/// Counts what was submitted and what came back.
class Ledger final : public TransferOwner {
 public:
  void on_complete(TransferPtr transfer, Completion completion) override {
    PERIPLEX_CHECK(!inside_submit);
    PERIPLEX_CHECK(open.erase(transfer->id()) == 1);
    PERIPLEX_CHECK(completion.actual <= transfer->data.size());
  }
  void submit(Device& device, EndpointAddress endpoint, Direction direction, TransferData data,
              std::optional<SetupPacket> setup) {
    const TransferId id(next++);
    auto transfer = std::make_unique<Transfer>(*this, id, endpoint, direction, std::move(data));
    transfer->setup = setup;
    open.insert(id);
    inside_submit = true;
    device.submit(std::move(transfer));
    inside_submit = false;
  }

  std::set<TransferId> open;
  std::uint64_t next = 1;
  bool inside_submit = false;
};

/// The device under test, and what its user may do to it.
class Subject {
 public:
  Subject(unsigned kind, Speed speed, Scheduler& time) {
    switch (kind % 3) {
      case 0:
        keyboard = std::make_unique<device::HidKeyboard>("fuzzed", speed, time);
        break;
      case 1:
        tablet = std::make_unique<device::HidTablet>("fuzzed", speed, time);
        break;
      default:
        mouse = std::make_unique<device::HidMouse>("fuzzed", speed, time);
        break;
    }
  }
  Device& get() {
    if (keyboard) return *keyboard;
    if (tablet) return *tablet;
    return *mouse;
  }
  void input(std::uint8_t what, std::int16_t x, std::int16_t y) {
    if (keyboard) {
      if ((what & 1) != 0) {
        (void)keyboard->press(device::KeyUsage(static_cast<std::uint8_t>(x)));
      } else {
        keyboard->release(device::KeyUsage(static_cast<std::uint8_t>(x)));
      }
      return;
    }
    device::HidPointer& pointer = tablet ? static_cast<device::HidPointer&>(*tablet) : *mouse;
    const auto button = static_cast<device::PointerButton>((what >> 2) % 5);
    switch (what & 3) {
      case 0:
        (void)pointer.press(button);
        break;
      case 1:
        pointer.release(button);
        break;
      case 2:
        pointer.scroll(x, y);
        break;
      default:
        if (tablet) tablet->move_to(x, y);
        if (mouse) mouse->move_by(x, y);
        break;
    }
  }

 private:
  std::unique_ptr<device::HidKeyboard> keyboard;
  std::unique_ptr<device::HidTablet> tablet;
  std::unique_ptr<device::HidMouse> mouse;
};

void step(ByteReader& input, Subject& subject, Ledger& ledger, testing::VirtualTime& time) {
  Device& device = subject.get();
  const std::uint8_t what = input.u8();
  switch (what & 15) {
    case 0:
    case 1:
    case 2: {
      const SetupPacket setup = SetupPacket::parse(input.le64());
      const Direction direction = (what & 0x80) != 0 ? Direction::out : setup.direction();
      const std::size_t room = (what & 0x40) != 0 ? what : setup.length;
      ledger.submit(device, EndpointAddress(), direction, TransferData::room(room), setup);
      break;
    }
    case 3:
      ledger.submit(device, EndpointAddress(), Direction::in, TransferData::room(what >> 4), {});
      break;
    case 4:
    case 5:
      ledger.submit(device, device::HidDevice::kInterruptIn, Direction::in, TransferData::room(what >> 4), {});
      break;
    case 6: {
      const EndpointAddress endpoint(input.u8());
      ledger.submit(device, endpoint, endpoint.direction(), TransferData::room(what >> 4), {});
      break;
    }
    case 7:
      device.cancel(TransferId(input.u8()));
      break;
    case 8:
      device.reset();
      break;
    case 9:
      device.suspend();
      break;
    case 10:
      device.resume();
      break;
    case 11:
      time.advance(std::chrono::milliseconds(what));
      break;
    case 12:
      device.set_wake_up([&device] { device.resume(); });
      break;
    case 13: {
      const std::uint8_t action = input.u8();
      const auto x = static_cast<std::int16_t>(input.le16());
      subject.input(action, x, static_cast<std::int16_t>(input.le16()));
      break;
    }
    case 14:
      ledger.submit(device, EndpointAddress(), Direction::out, {}, SetupPacket{.request = 9, .value = 1});
      break;
    default:
      time.run_until_idle();
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::VirtualTime time;
  Ledger ledger;
  ByteReader input(std::as_bytes(std::span(data, size)));
  const std::uint8_t choice = input.u8();
  {
    Subject subject(choice >> 4, static_cast<Speed>((choice & 15) % 5), time);
    while (input.ok() && input.remaining() > 0) step(input, subject, ledger, time);
    if ((choice & 8) != 0) {
      // After a reset and one turn of the loop nothing may be left, even without the device's end.
      subject.get().reset();
      time.run_until_idle();
      PERIPLEX_CHECK(ledger.open.empty());
    }
  }
  PERIPLEX_CHECK(ledger.open.empty());
  time.run_until_idle();
  return 0;
}

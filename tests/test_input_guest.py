# SPDX-License-Identifier: Apache-2.0
"""Keyboard, tablet and mouse as Linux's usbhid and evdev see them."""

import random
import struct

from lab import evdev, image, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.hardware import POINTER_RANGE
from lab.image import MIB
from lab.keyboard import US_KEYS

BTN_LEFT, BTN_RIGHT, BTN_MIDDLE = 0x110, 0x111, 0x112


class Keyboard(GuestCase):
    """What is typed is what arrives."""

    @essential
    def test_typed_text_arrives_in_order_and_complete(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        characters = sorted(set(US_KEYS) - {"\t", "\n"})
        generator = random.Random(4)
        text = "".join(generator.choices(characters, k=count(100, 1000)))
        for start in range(0, len(text), 250):
            hardware.type_text(text[start:start + 250], "kbd")
        events = recorder.wait_quiet(len(text) * 4)
        self.assertEqual(evdev.typed(events), text)
        self.assert_healthy(guest)

    def test_the_same_key_twice_is_two_presses(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        text = "aaaaAAAAaAaA    bbB!!11"
        hardware.type_text(text, "kbd")
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 4)), text)

    def test_every_key_of_the_layout_arrives_as_itself(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        text = "".join(US_KEYS)
        hardware.type_text(text, "kbd")
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 4)), text)

    @essential
    def test_leds_that_the_guest_lights_come_back(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        node = evdev.find_node(guest, "keyboard")
        for code, name in evdev.LEDS.items():
            for value in (1, 0):
                with self.subTest(led=name, value=value):
                    record = struct.pack("<qqHHi", 0, 0, evdev.EV_LED, code, value)
                    record += struct.pack("<qqHHi", 0, 0, evdev.EV_SYN, 0, 0)
                    octal = "".join(f"\\{byte:03o}" for byte in record)
                    guest.check(f"printf '{octal}' >{node}")
                    self._wait_led(hardware, name, bool(value))

    def _wait_led(self, hardware, name: str, lit: bool) -> None:
        for _ in range(100):
            if (name in hardware.leds("kbd")) == lit:
                return
        self.fail(f"{name} is not {'lit' if lit else 'dark'}: {hardware.leds('kbd')}")


class KeyboardOnEhci(Keyboard, controller=EHCI):
    """A full-speed keyboard in a port of an EHCI controller."""

    @essential
    def test_a_full_speed_keyboard_arrives_through_the_companion(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd", speed="full")
        guest = self.boot(hardware)
        node = evdev.find_node(guest, "keyboard")
        device = usb_view.input_device(guest, node)
        self.assertEqual(usb_view.speed(guest, device), "12")
        self.assertEqual(usb_view.root_hub_driver(guest, device), UHCI.driver)
        (ehci,) = usb_view.functions(guest, EHCI)
        companions = usb_view.functions(guest, UHCI)
        slot = ehci.address.partition(".")[0]
        self.assertEqual([function.address.partition(".")[0] for function in companions], [slot] * 3,
                         "the companions are functions of the same PCI device")
        self.assertLess(companions[-1].address, ehci.address, "and come before the EHCI (EHCI 1.0 §4.2)")
        recorder = evdev.Recorder(guest, node)
        hardware.type_text("through the companion", "kbd")
        self.assertEqual(evdev.typed(recorder.wait_quiet(80)), "through the companion")
        self.assert_healthy(guest)

    @essential
    def test_a_high_speed_disk_stays_with_the_ehci_while_a_keyboard_goes_to_a_companion(self) -> None:
        hardware = self.hardware()
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        guest = self.boot(hardware)
        for turn in range(count(2, 20)):
            with self.subTest(turn=turn):
                hardware.attach("keyboard", "kbd", speed="full")
                hardware.attach_storage("disk", disk)
                name = usb_view.wait_disk(guest, 8 * MIB)
                keyboard = usb_view.input_device(guest, evdev.find_node(guest, "keyboard"))
                self.assertEqual(usb_view.root_hub_driver(guest, keyboard), UHCI.driver)
                device = usb_view.usb_device(guest, name)
                self.assertEqual(usb_view.root_hub_driver(guest, device), EHCI.driver)
                self.assertEqual(usb_view.speed(guest, device), "480")
                self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
                hardware.detach("kbd")
                hardware.detach("disk")
                usb_view.wait_devices(guest, 0)
        self.assert_healthy(guest)


class KeyboardOnUhci(Keyboard, controller=UHCI):
    """A full-speed keyboard in the controller that such keyboards were made for."""


class Pointer(GuestCase):
    """Positions are exact; buttons and wheels work."""

    def test_absolute_positions_are_exact(self) -> None:
        hardware = self.hardware()
        hardware.attach("tablet", "tab")
        guest = self.boot(hardware)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "tablet"))
        generator = random.Random(5)
        positions = [(0, 0), (POINTER_RANGE, POINTER_RANGE), (1, POINTER_RANGE - 1), (16384, 16383)]
        positions += [(generator.randint(0, POINTER_RANGE), generator.randint(0, POINTER_RANGE))
                      for _ in range(count(20, 200))]
        seen = []
        for x, y in [(7, 7), *positions]:  # first a place of its own: evdev tells changes only
            hardware.move_pointer(x, y, "tab")
            events = recorder.wait_moved(x, y)
            seen.append(evdev.position(events))
        self.assertEqual(seen[1:], positions)
        self.assert_healthy(guest)

    def test_buttons_press_and_release(self) -> None:
        hardware = self.hardware()
        hardware.attach("tablet", "tab")
        guest = self.boot(hardware)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "tablet"))
        for button in ("left", "right", "middle"):
            hardware.click(button, "tab")
        events = recorder.wait_quiet(6)
        pressed = [(e.code, e.value) for e in events if e.type == evdev.EV_KEY]
        self.assertEqual(pressed, [(code, value) for code in (BTN_LEFT, BTN_RIGHT, BTN_MIDDLE)
                                   for value in (1, 0)])

    @essential
    def test_a_mouse_is_a_mouse_beside_a_keyboard(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        hardware.attach("mouse", "m")
        guest = self.boot(hardware)
        mouse = evdev.Recorder(guest, evdev.find_node(guest, "mouse"))
        keyboard = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        hardware.click("left", "m")
        hardware.type_text("k", "kbd")
        events = mouse.wait_quiet(2)
        self.assertEqual([(e.code, e.value) for e in events if e.type == evdev.EV_KEY],
                         [(BTN_LEFT, 1), (BTN_LEFT, 0)])
        self.assertEqual(evdev.typed(keyboard.wait_quiet(2)), "k")


class PointerOnEhci(Pointer, controller=EHCI):
    """Tablet and mouse through a companion."""


class PointerOnUhci(Pointer, controller=UHCI):
    """Tablet and mouse on UHCI."""

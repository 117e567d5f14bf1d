# SPDX-License-Identifier: Apache-2.0
"""USB devices that Linux suspends and resumes by itself, and the controller with them."""

from lab import evdev, image, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.image import MIB

SIZE = 8 * MIB


class Autosuspend(GuestCase):
    """A suspended device sleeps until it is needed and then works as before."""

    def test_a_disk_is_suspended_and_resumed_by_access(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk)
        guest = self.boot(hardware)
        name = usb_view.wait_disk(guest, SIZE)
        device = usb_view.usb_device(guest, name)
        expected = image.sha256(disk)
        self._allow_suspend(guest, f"/sys/block/{name}/device", device)
        for turn in range(count(3, 20)):
            with self.subTest(turn=turn):
                guest.until(f"[ $(cat {device}/power/runtime_status) = suspended ]")
                guest.check("echo 3 >/proc/sys/vm/drop_caches")
                shown = guest.check(f"sha256sum </dev/{name}", 60).split()[0]
                self.assertEqual(shown, expected)
        self.assert_healthy(guest)

    @essential
    def test_a_key_wakes_a_suspended_keyboard(self) -> None:
        hardware = self.hardware()
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        node = evdev.find_node(guest, "keyboard")
        recorder = evdev.Recorder(guest, node)
        device = usb_view.input_device(guest, node)
        self.assertEqual(guest.check(f"cat {device}/power/wakeup"), "enabled",
                         "the keyboard offers remote wakeup")
        self._allow_suspend(guest, device)
        text = ""
        for letter in "abcdefghijklmnopqrst"[:count(3, 20)]:
            guest.until(f"[ $(cat {device}/power/runtime_status) = suspended ]")
            hardware.type_text(letter, "kbd")
            text += letter
            self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 3)), text)
        self.assert_healthy(guest)

    @essential
    def test_a_device_plugged_while_the_root_hubs_sleep_is_found(self) -> None:
        hardware = self.hardware()
        guest = self.boot(hardware)
        hubs = "/sys/bus/usb/devices/usb*"
        guest.check(f"for h in {hubs}; do echo auto >$h/power/control; "
                    "echo 0 >$h/power/autosuspend_delay_ms; done")
        for turn in range(count(3, 20)):
            with self.subTest(turn=turn):
                guest.until(f"for h in {hubs}; do "
                            "[ $(cat $h/power/runtime_status) = suspended ] || exit 1; done")
                disk = image.filled(self.scratch / "disk.img", SIZE, seed=turn)
                hardware.attach_storage("disk", disk)
                name = usb_view.wait_disk(guest, SIZE)
                self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0],
                                 image.sha256(disk))
                hardware.detach("disk")
                usb_view.wait_no_disk(guest)
        self.assert_healthy(guest)

    @essential
    def test_the_controller_is_saved_and_restored_when_the_machine_sleeps(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk)
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware)
        name = usb_view.wait_disk(guest, SIZE)
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        # All of Linux's way to sleep up to the suspended devices, and back after a second.
        guest.check("echo 1 >/sys/module/suspend/parameters/pm_test_delay; "
                    "echo devices >/sys/power/pm_test")
        for turn in range(count(2, 10)):
            with self.subTest(turn=turn):
                since = guest.console.mark()
                guest.check("echo mem >/sys/power/state", 60)
                guest.wait_for("PM: suspend exit", since=since)
                self.assertNotIn("xHC error in resume", guest.console.text(since))
                guest.check("echo 3 >/proc/sys/vm/drop_caches")
                self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0],
                                 image.sha256(disk))
        hardware.type_text("awake", "kbd")
        self.assertEqual(evdev.typed(recorder.wait_quiet(15)), "awake")
        self.assert_healthy(guest)

    @staticmethod
    def _allow_suspend(guest, *devices: str) -> None:
        for device in devices:
            # With a delay of 0 Linux tries once only, and not again when that was too early.
            guest.check(f"echo 100 >{device}/power/autosuspend_delay_ms; "
                        f"echo auto >{device}/power/control")


class AutosuspendOnEhci(Autosuspend, controller=EHCI):
    """Ports that sleep on EHCI and on its companions."""


class AutosuspendOnUhci(Autosuspend, controller=UHCI):
    """Ports that sleep on UHCI, and its global suspend."""

# SPDX-License-Identifier: Apache-2.0
"""Devices that come and go, drivers that let go and come back, machines that restart."""

from lab import image, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.guest import Guest
from lab.image import MIB

SIZE = 8 * MIB


class HotPlug(GuestCase):
    """Plugging and pulling, with and without I/O in flight."""

    @essential
    def test_a_disk_is_plugged_and_pulled_many_times(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        expected = image.sha256(disk)
        hardware = self.hardware()
        guest = self.boot(hardware)
        for turn in range(count(10, 100)):
            with self.subTest(turn=turn):
                hardware.attach_storage(f"disk{turn}", disk)
                name = usb_view.wait_disk(guest, SIZE)
                shown = guest.check(f"sha256sum </dev/{name}", 60).split()[0]
                self.assertEqual(shown, expected)
                hardware.detach(f"disk{turn}")
                usb_view.wait_no_disk(guest)
        self.assert_healthy(guest)

    @essential
    def test_a_disk_is_pulled_while_it_is_read_and_written(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.hardware()
        guest = self.boot(hardware)
        for turn in range(count(5, 50)):
            with self.subTest(turn=turn):
                hardware.attach_storage(f"disk{turn}", disk)
                name = usb_view.wait_disk(guest, SIZE)
                guest.check(f"""
                    rm -f /tmp/ended.*
                    (while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct 2>/dev/null; do
                        echo >>/tmp/turns; done; echo >/tmp/ended.1) &
                    (while dd if=/dev/zero of=/dev/{name} bs=16k count=64 seek=64 oflag=direct \
                        conv=notrunc 2>/dev/null; do :; done; echo >/tmp/ended.2) &
                    : >/tmp/turns; until [ -s /tmp/turns ]; do sleep 0.02; done""", 30)
                hardware.detach(f"disk{turn}")
                usb_view.wait_no_disk(guest, 60)
                guest.until("[ -e /tmp/ended.1 ] && [ -e /tmp/ended.2 ]", 60)
                guest.check(f"[ ! -f /dev/{name} ] || rm /dev/{name}")  # dd made a plain file
        hardware.attach_storage("last", disk)
        name = usb_view.wait_disk(guest, SIZE)
        shown = guest.check(f"sha256sum </dev/{name}", 60).split()[0]
        self.assertEqual(shown, image.sha256(disk), "the next disk works as if nothing had been")
        self.assert_healthy(guest)

    def test_all_kinds_of_devices_come_and_go_together(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.hardware()
        guest = self.boot(hardware)
        for turn in range(count(3, 20)):
            with self.subTest(turn=turn):
                kinds = ("keyboard", "mouse", "tablet")[:self.controller.ports - 1]
                for kind in kinds:
                    hardware.attach(kind, kind)
                hardware.attach_storage("disk", disk)
                usb_view.wait_devices(guest, len(kinds) + 1)
                usb_view.wait_disk(guest, SIZE)
                for identifier in ("disk", *kinds):
                    hardware.detach(identifier)
                usb_view.wait_devices(guest, 0)
        self.assert_healthy(guest)


class Restart(GuestCase):
    """The controller is taken from its driver and given back, in every way Linux knows."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = image.filled(self.scratch / "disk.img", SIZE)
        self.expected = image.sha256(self.disk)
        self.usb = self.hardware()
        self.usb.attach_storage("disk", self.disk)

    @essential
    def test_the_driver_is_unbound_and_bound_with_io_in_between(self) -> None:
        guest = self.boot(self.usb)
        functions = usb_view.functions(guest)
        for turn in range(count(3, 20)):
            with self.subTest(turn=turn):
                self._read_all(guest)
                self._each(guest, functions, "unbind")
                usb_view.wait_no_disk(guest)
                self._each(guest, functions, "bind")
        self._read_all(guest)
        self.assert_healthy(guest)

    @essential
    def test_the_driver_is_unbound_during_io(self) -> None:
        guest = self.boot(self.usb)
        functions = usb_view.functions(guest)
        for turn in range(count(3, 20)):
            with self.subTest(turn=turn):
                name = usb_view.wait_disk(guest, SIZE)
                guest.check(f"(while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct "
                            "2>/dev/null; do :; done) & sleep 0.2")
                self._each(guest, functions, "unbind")
                self._each(guest, functions, "bind")
        self._read_all(guest)

    def test_the_pci_function_is_reset_between_two_drivers(self) -> None:
        guest = self.boot(self.usb)
        functions = usb_view.functions(guest)
        self._read_all(guest)
        self._each(guest, functions, "unbind")
        for function in functions:
            guest.check(f"""
                cd /sys/bus/pci/devices/{function.address}
                if [ -e reset ]; then echo 1 >reset; else echo "no way to reset"; fi
                echo 1 >remove""", 60)
        guest.check("echo 1 >/sys/bus/pci/rescan", 60)
        self._read_all(guest)
        self.assert_healthy(guest)

    def test_the_guest_reboots(self) -> None:
        guest = self.boot(self.usb)
        for turn in range(count(2, 10)):
            with self.subTest(turn=turn):
                self._read_all(guest)
                guest.restart("reboot -f")
        self._read_all(guest)
        self.assert_healthy(guest)

    @essential
    def test_the_reset_button_is_pressed_during_io(self) -> None:
        guest = self.boot(self.usb)
        for turn in range(count(2, 10)):
            with self.subTest(turn=turn):
                name = usb_view.wait_disk(guest, SIZE)
                guest.check(f"(while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct "
                            "2>/dev/null; do :; done) & sleep 0.3")
                guest.press_reset()
        self._read_all(guest)
        self.assert_healthy(guest)

    def test_the_kernel_is_crashed_and_restarts(self) -> None:
        guest = self.boot(self.usb, extra="panic=-1")
        self._read_all(guest)
        guest.restart("echo c >/proc/sysrq-trigger")
        since = guest.console.mark()
        self._read_all(guest)
        self.assert_healthy(guest, since)

    @staticmethod
    def _each(guest: Guest, functions: list[usb_view.PciFunction], what: str) -> None:
        """`bind` or `unbind`: EHCI and its companions one after the other."""
        for function in functions:
            guest.check(f"echo {function.address} >/sys/bus/pci/drivers/{function.driver}/{what}", 90)

    def _read_all(self, guest: Guest) -> None:
        name = usb_view.wait_disk(guest, SIZE)
        guest.check("echo 3 >/proc/sys/vm/drop_caches")
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], self.expected)


class HotPlugOnEhci(HotPlug, controller=EHCI):
    """High-speed disks, and full-speed devices that go to the companions."""


class HotPlugOnUhci(HotPlug, controller=UHCI):
    """Full-speed devices in two ports."""


class RestartOnEhci(Restart, controller=EHCI):
    """An EHCI with its companions."""


class RestartOnUhci(Restart, controller=UHCI):
    """A single UHCI."""

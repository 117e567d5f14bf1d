# SPDX-License-Identifier: Apache-2.0
"""The whole way: QEMU's devices in a workstation, its agent, the gate, a worker, and a machine's own drivers."""

import time

from lab import evdev, image, usb_view, workstation
from lab.case import essential
from lab.controller import EHCI, UHCI
from lab.image import MIB
from lab.seat_case import DISK, KEYBOARD, MOUSE, TABLET, SeatCase


class SeatDisk(SeatCase):
    """The workstation's disk in the machine."""

    size = 8 * MIB
    bus = "xhci.0"

    @essential
    def test_a_disk_is_read_and_written_though_the_network_is_cut_and_given_back(self) -> None:
        content = image.filled(self.scratch / "disk.img", self.size)
        seat = self.seat(*workstation.disk("disk", content, self.bus))
        usb_view.wait_disk(seat.guest, self.size)
        guest = self.boot(self.machine)
        self.attach(seat, DISK, "disk")
        name = usb_view.wait_disk(guest, self.size, 60)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.speed(guest, device), self.controller.megabits)
        self.assertEqual(usb_view.disks(seat.guest), [], "this computer does not have it now")
        end = self.cutting(seat, 1.5)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(content))
        half = self.size // 2
        guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                    f"iflag=fullblock 2>/dev/null; sync", 120)
        end()
        self.assert_never_unplugged(guest)
        self.machine.detach("disk")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(seat.guest, self.size)
        seat.guest.check("sync")
        written = content.read_bytes()
        self.assertEqual(written[:half], written[half:])
        self.assert_healthy(guest)


class SeatDiskOnEhci(SeatDisk, controller=EHCI):
    """A high-speed disk."""

    bus = "ehci.0"


class SeatDiskOnUhci(SeatDisk, controller=UHCI):
    """A high-speed disk behind a controller that knows only full speed."""

    bus = "ehci.0"
    size = 2 * MIB


class SeatInput(SeatCase):
    """The workstation's keyboard, tablet and mouse in the machine."""

    @essential
    def test_keys_arrive_exactly_once_though_the_network_is_cut(self) -> None:
        seat = self.seat(*workstation.keyboard())
        guest = self.boot(self.machine)
        self.attach(seat, KEYBOARD, "kbd")
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        end = self.cutting(seat, 1.0)
        text = "thequickbrownfoxjumpsoverthelazydog"
        seat.type(text, 0.1)
        end()
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 6, 60)), text)
        self.assertIn("connected to", seat.guest.check("periplex-seat status"))
        self.assert_never_unplugged(guest)

    @essential
    def test_a_tablet_points_exactly_and_a_mouse_loses_no_step(self) -> None:
        seat = self.seat(*workstation.pointers())
        guest = self.boot(self.machine)
        self.attach(seat, TABLET, "tablet")
        self.attach(seat, MOUSE, "mouse")
        tablet = evdev.Recorder(guest, evdev.find_node(guest, "tablet", 60))
        mouse = evdev.Recorder(guest, evdev.find_node(guest, "mouse", 60))
        for place in ((5, 7), (32767, 32767), (1, 32766), (12345, 20202)):
            seat.workstation.point(*place)
            self.assertEqual(evdev.position(tablet.wait_moved(*place)), place)
        end = self.cutting(seat, 1.0)
        steps = [(7, -3), (-20, 11), (100, 100), (-1, 0), (0, 5), (-64, -90), (33, 1)] * 3
        for step in steps:
            seat.workstation.move(*step)
            time.sleep(0.15)
        end()
        self.assertEqual(evdev.moved(mouse.wait_steps(*map(sum, zip(*steps)))), tuple(map(sum, zip(*steps))))
        self.assert_never_unplugged(guest)


class SeatInputOnEhci(SeatInput, controller=EHCI):
    """High-speed input devices on EHCI."""


class SeatInputOnUhci(SeatInput, controller=UHCI):
    """High-speed input devices behind a controller that knows only full speed."""


class SeatHotPlug(SeatCase):
    """Devices come and go."""

    def test_what_is_pulled_is_unplugged_and_what_is_taken_back_comes_back(self) -> None:
        size = 8 * MIB
        content = image.filled(self.scratch / "disk.img", size)
        seat = self.seat(*workstation.disk("disk", content, "xhci.0"), *workstation.keyboard())
        usb_view.wait_disk(seat.guest, size)
        guest = self.boot(self.machine)
        disk = self.attach(seat, DISK, "disk")
        keyboard = self.attach(seat, KEYBOARD, "kbd")
        usb_view.wait_disk(guest, size, 60)
        evdev.find_node(guest, "keyboard", 60)
        seat.guest.check(f"periplex-seat take-back {disk}")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(seat.guest, size)
        seat.guest.check(f"periplex-seat offer {disk}")
        usb_view.wait_disk(guest, size, 60)
        seat.guest.qmp.execute("device_del", {"id": "kbd"})
        guest.until("! grep -qi keyboard /proc/bus/input/devices || ! grep -q QEMU /proc/bus/input/devices", 30)
        self.assertNotIn(keyboard, self.host.offered())
        seat.stop_agent()
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(seat.guest, size)
        self.assert_healthy(seat.guest)

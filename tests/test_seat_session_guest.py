# SPDX-License-Identifier: Apache-2.0
"""The whole way: QEMU's devices in a workstation, its agent, the gate, a worker, and a machine's own drivers."""

import time

from lab import evdev, image, usb_view, workstation
from lab.image import MIB
from lab.keyboard import US_KEYS
from lab.seat_case import SeatCase

SIZE = 8 * MIB


class SeatSession(SeatCase):
    """Keys, a disk, hot-plug."""

    def test_keys_arrive_exactly_once_though_the_network_is_cut(self) -> None:
        ws = self.workstation(*workstation.keyboard())
        guest = self.boot(self.machine)
        self.attach("kbd", self.identifier(ws.guest, 3))
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        text = "thequickbrownfoxjumpsoverthelazydog"
        with self.host.cutting(1.0):
            for letter in text:
                qcode = US_KEYS[letter].qcode
                ws.press(qcode, down=True)
                ws.press(qcode, down=False)
                time.sleep(0.1)
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 6, 60)), text)
        ws.guest.check("periplex-seat status")
        self.assert_healthy(guest)

    def test_a_disk_is_read_and_written_though_the_network_is_cut_and_given_back(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        ws = self.workstation(*workstation.disk("disk", content, "xhci.0"))
        usb_view.wait_disk(ws.guest, SIZE)
        guest = self.boot(self.machine)
        peripheral = self.identifier(ws.guest, 8)
        self.attach("disk", peripheral)
        name = usb_view.wait_disk(guest, SIZE, 60)
        self.assertEqual(usb_view.disks(ws.guest), [], "this computer does not have it now")
        half = SIZE // 2
        with self.host.cutting(1.5):
            self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(content))
            guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                        f"iflag=fullblock 2>/dev/null; sync", 120)
        self.machine.detach("disk")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        ws.guest.check("sync")
        written = content.read_bytes()
        self.assertEqual(written[:half], written[half:])
        self.assert_healthy(guest)

    def test_what_is_pulled_is_unplugged_and_what_is_taken_back_comes_back(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        ws = self.workstation(*workstation.disk("disk", content, "xhci.0"), *workstation.keyboard())
        usb_view.wait_disk(ws.guest, SIZE)
        guest = self.boot(self.machine)
        disk, keyboard = self.identifier(ws.guest, 8), self.identifier(ws.guest, 3)
        self.attach("disk", disk)
        self.attach("kbd", keyboard)
        usb_view.wait_disk(guest, SIZE, 60)
        evdev.find_node(guest, "keyboard", 60)
        ws.guest.check(f"periplex-seat take-back {disk}")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        ws.guest.check(f"periplex-seat offer {disk}")
        usb_view.wait_disk(guest, SIZE, 60)
        ws.guest.qmp.execute("device_del", {"id": "kbd"})
        guest.until("! grep -qi keyboard /proc/bus/input/devices || ! grep -q QEMU /proc/bus/input/devices", 30)
        self.assertNotIn(keyboard, self.host.state())
        ws.guest.check("kill $(cat /run/agent.pid); while kill -0 $(cat /run/agent.pid) 2>/dev/null; do sleep 0.1; done")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(ws.guest, SIZE)
        self.assert_healthy(ws.guest)

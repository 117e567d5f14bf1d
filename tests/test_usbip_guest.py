# SPDX-License-Identifier: Apache-2.0
"""USB/IP both ways: devices at Debian's usbipd in a machine, and ours at Linux's vhci-hcd."""

import json
import random
import time

from lab import evdev, image, initramfs, usb_view, workstation
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.dial_out import DialOut
from lab.guest import Guest
from lab.image import MIB
from lab.keyboard import US_KEYS
from lab.machine import MachineError
from lab.periplex_hardware import PeriplexHardware
from lab.relay import Relay
from lab.remote_case import RemoteCase, serving
from lab.workstation import HOST, Workstation

RTT = 0.05
REPORT = 0.008  # seconds between reports at 125 Hz


class Importing(RemoteCase):
    """A machine, a workstation, and a network between them."""

    def workstation(self, *devices: str) -> Workstation:
        """A workstation whose usbipd runs."""
        name = f"workstation-{self.id().rpartition('.')[2]}"
        ws = self.enterContext(Workstation(devices, name=name))
        self.addCleanup(self._keep_evidence, ws.guest)
        ws.start_usbip_server()
        return ws

    def attach(self, hardware: PeriplexHardware, port: int, bus_id: str, identifier: str) -> str:
        """Imports a device; what the client said on its standard error."""
        return self.attach_remote(hardware, identifier, "usbip", host=f"127.0.0.1:{port}", busid=bus_id)


class ImportedDisk(Importing):
    """The workstation's disk in the machine."""

    size = 8 * MIB
    bus = "xhci.0"

    @essential
    def test_an_imported_disk_carries_checksummed_data_both_ways(self) -> None:
        disk = image.filled(self.scratch / "disk.img", self.size)
        ws = self.workstation(*workstation.disk("disk", disk, self.bus))
        bus_id = ws.export(ws.bus_id("08"))
        relay = self.enterContext(Relay(("127.0.0.1", ws.port()), rtt=0.002))
        hardware = self.machine()
        guest = self.boot(hardware, initramfs.STORAGE)
        warning = self.attach(hardware, relay.port, bus_id, "disk")
        self.assertIn("neither encrypted nor authenticated", warning)
        name = usb_view.wait_disk(guest, self.size)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.speed(guest, device), self.controller.megabits)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(disk))
        half = self.size // 2
        guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                    f"iflag=fullblock 2>/dev/null; sync", 120)
        self.assertGreater(hardware.counters("disk")["0x81"]["bytes"], self.size // 2)
        hardware.detach("disk")
        usb_view.wait_no_disk(guest)
        ws.guest.check("sync")
        written = disk.read_bytes()
        self.assertEqual(written[:half], written[half:], "the first half, copied by the machine's guest")
        self.assert_healthy(guest)

    def test_a_disk_is_lost_with_its_connection_and_comes_back_when_asked_for(self) -> None:
        disk = image.filled(self.scratch / "disk.img", self.size)
        ws = self.workstation(*workstation.disk("disk", disk, self.bus))
        bus_id = ws.export(ws.bus_id("08"))
        relay = self.enterContext(Relay(("127.0.0.1", ws.port())))
        hardware = self.machine()
        guest = self.boot(hardware)
        for turn in range(count(2, 10)):
            with self.subTest(turn=turn):
                self.attach(hardware, relay.port, bus_id, "disk")
                name = usb_view.wait_disk(guest, self.size)
                guest.check(f"""
                    (while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct 2>/dev/null; do touch /tmp/turn; done
                     touch /tmp/ended) &
                    until [ -e /tmp/turn ]; do sleep 0.02; done""", 30)
                relay.cut()
                self.assertIn("lost", self.wait_gone(hardware, "disk"))
                usb_view.wait_no_disk(guest)
                guest.until("[ -e /tmp/ended ] && rm /tmp/ended /tmp/turn", 30)
                hardware.detach("disk")
                ws.guest.until(f"usbip list -r 127.0.0.1 2>/dev/null | grep -q ' {bus_id}:'", 30)
        self.assert_healthy(guest)


class ImportedDiskOnEhci(ImportedDisk, controller=EHCI):
    """A high-speed disk."""

    bus = "ehci.0"


class ImportedDiskOnUhci(ImportedDisk, controller=UHCI):
    """A high-speed disk behind a controller that knows only full speed."""

    bus = "ehci.0"
    size = 2 * MIB


class ImportedUasDisk(Importing):
    """What USB/IP cannot carry is not shown."""

    def test_a_disk_with_uas_and_bulk_only_is_driven_with_bulk_only(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 4 * MIB)
        port = workstation.free_port()
        self.enterContext(serving("usbip", self.scratch, port, f"storage,image={disk},transport=uas"))
        hardware = self.machine()
        guest = self.boot(hardware)
        self.attach(hardware, port, "1-1", "disk")
        name = usb_view.wait_disk(guest, 4 * MIB)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.speed(guest, device), "5000")
        self.assertEqual(usb_view.interface_driver(guest, device), "usb-storage")
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
        self.assert_healthy(guest)

    def test_a_disk_that_needs_streams_is_refused_and_the_log_says_why(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 4 * MIB)
        ws = self.workstation(*workstation.uas_disk("disk", disk))
        bus_id = ws.export(ws.bus_id("08"))
        hardware = self.machine()
        guest = self.boot(hardware)
        self.attach(hardware, ws.port(), bus_id, "disk")
        guest.wait_for("does not support streams", 30)
        self.assertFalse(usb_view.has_streams(guest))
        self.assertEqual(usb_view.disks(guest), [])
        self.assertIn("needs streams, which USB/IP cannot carry", hardware.machine.said())


class ImportedKeyboard(Importing):
    """The workstation's keyboard in the machine."""

    @essential
    def test_keys_arrive_and_a_burst_is_complete_at_50_ms(self) -> None:
        ws = self.workstation(*workstation.keyboard())
        bus_id = ws.export(ws.bus_id("03"))
        relay = self.enterContext(Relay(("127.0.0.1", ws.port()), rtt=RTT))
        hardware = self.machine()
        guest = self.boot(hardware)
        self.attach(hardware, relay.port, bus_id, "kbd")
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        letters = "".join(sorted(set("abcdefghijklmnopqrstuvwxyz0123456789")))
        for letter in letters:
            qcode = US_KEYS[letter].qcode
            ws.press(qcode, down=True)
            ws.press(qcode, down=False)
            time.sleep(2 * REPORT)  # usb-kbd keeps 16 events; this is a person, not a burst
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(letters) * 6)), letters)
        for _ in range(count(2, 10)):
            text = "".join(random.Random(7).choices(letters, k=60))
            before = len(recorder.events())
            self._burst(ws, text)
            events = recorder.wait_quiet(before + len(text) * 6)  # each report: MSC_SCAN, KEY, SYN
            self.assertEqual(evdev.typed(events[before:]), text)
        self.assert_healthy(guest)

    def _burst(self, ws: Workstation, text: str) -> None:
        """Presses and releases, one report every 8 ms. Time that this computer loses is not made up for: usb-kbd keeps 16
        events and gives one in 8 ms, so it would drop some, whoever fetches them."""
        due = time.monotonic()
        for letter in text:
            for down in (True, False):
                due = max(due, time.monotonic()) + REPORT
                time.sleep(max(0.0, due - time.monotonic()))
                ws.press(US_KEYS[letter].qcode, down=down)


class ImportedKeyboardOnEhci(ImportedKeyboard, controller=EHCI):
    """A high-speed keyboard on EHCI."""


class ImportedKeyboardOnUhci(ImportedKeyboard, controller=UHCI):
    """A high-speed keyboard behind a controller that knows only full speed."""


class DialledIn(Importing):
    """A server that connects to the machine, and does so again whenever that ends."""

    def test_a_server_that_dials_in_is_plugged_in_each_time(self) -> None:
        size = 4 * MIB
        disk = image.filled(self.scratch / "disk.img", size)
        ws = self.workstation(*workstation.disk("disk", disk, "xhci.0"))
        bus_id = ws.export(ws.bus_id("08"))
        hardware = self.machine()
        guest = self.boot(hardware, initramfs.STORAGE)
        port = workstation.free_port()
        hardware.machine.cli("attach", f"usbip,id=disk,listen=127.0.0.1:{port},busid={bus_id}")
        self.assertEqual(hardware.device("disk")["state"], "connecting")
        device = self.enterContext(DialOut(("127.0.0.1", port), ("127.0.0.1", ws.port())))
        for turn in range(count(2, 10)):
            with self.subTest(turn=turn):
                name = usb_view.wait_disk(guest, size, 60)
                self.assertEqual(hardware.device("disk")["state"], "plugged")
                self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(disk))
                guest.check(f"dd if=/dev/urandom of=/dev/{name} bs=64k count=4 seek={4 * turn} conv=notrunc,fsync "
                            "2>/dev/null", 60)
                device.cut()
                usb_view.wait_no_disk(guest)
        hardware.detach("disk")
        self.assertEqual(hardware.machine.json("list")["devices"], [])
        self.assert_healthy(guest)


class Refusals(Importing):
    """What goes wrong is said, and what to do."""

    def test_a_server_that_is_not_there_and_a_device_that_is_not_exported(self) -> None:
        ws = self.workstation(*workstation.keyboard())
        hardware = self.machine()
        with self.assertRaisesRegex(MachineError, "nobody listens on port"):
            hardware.machine.cli("attach", f"usbip,host=127.0.0.1:{workstation.free_port()},busid=1-1")
        with self.assertRaisesRegex(MachineError, "was not plugged in"):
            hardware.machine.cli("attach", f"usbip,host=127.0.0.1:{ws.port()},busid=9-9")
        self.assertEqual(hardware.machine.json("list")["devices"], [])
        bus_id = ws.export(ws.bus_id("03"))
        shown = json.loads(hardware.machine.cli("--json", "browse", "usbip", f"127.0.0.1:{ws.port()}"))
        self.assertEqual([d["busid"] for d in shown["devices"]], [bus_id])


class Exported(GuestCase):
    """A disk and a keyboard of Periplex at Linux's vhci-hcd."""

    def test_vhci_uses_our_disk_and_our_keyboard(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        port = workstation.free_port()
        server = self.enterContext(serving("usbip", self.scratch, port, f"storage,id=stick,image={disk}",
                                           "keyboard,id=kbd"))
        ws = self.enterContext(Workstation(forwards=(), name="vhci-client"))
        self.addCleanup(self._keep_evidence, ws.guest)
        guest = ws.guest
        listed = guest.check(f"usbip --tcp-port {port} list -r {HOST}")
        self.assertIn("1-2", listed)
        self._attach(guest, port, "1-1")
        name = usb_view.wait_disk(guest, 8 * MIB)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], image.sha256(disk))
        guest.check(f"dd if=/dev/zero of=/dev/{name} bs=64k count=16 conv=notrunc 2>/dev/null; sync", 60)
        self.assertEqual(disk.read_bytes()[:MIB], bytes(MIB))
        self._attach(guest, port, "1-2")
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard"))
        assert server.stdin is not None
        server.stdin.write(b"served, not plugged\n")
        server.stdin.flush()
        text = "served, not plugged\n"
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 4)), text)
        self.assertIn("Port 00", guest.check("usbip port"))
        guest.check("usbip detach -p 0", 30)
        guest.check("usbip detach -p 8; usbip detach -p 1; true", 30)
        self.assert_healthy(guest)

    def _attach(self, guest: Guest, port: int, bus_id: str) -> None:
        guest.check(f"usbip --tcp-port {port} attach -r {HOST} -b {bus_id}", 30)

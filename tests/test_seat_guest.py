# SPDX-License-Identifier: Apache-2.0
"""The seat's program on a workstation: a guest whose USB devices are QEMU's own."""

import array
import json
import time
from collections import Counter
from pathlib import Path

from lab import image, initramfs, usb_view
from lab.boot import linux, with_built
from lab.case import GuestCase
from lab.controller import XHCI
from lab.guest import Guest
from lab.image import MIB
from lab.machine import program
from lab.qemu_hardware import QemuHardware

PROGRAMS = ("periplex-seat", "usb_probe", "input_probe")
UDEV_RULES = Path("packaging/udev/70-periplex-seat.rules")
SIZE = 16 * MIB
BLOCK = 512
STORAGE, KEYBOARD, AUDIO, UAS = "46f4:0001", "0627:0001", "46f4:0002", "46f4:0003"
RULES = """
[[rule]]
name = "disks"
action = "allow"
only-interface-classes = [8]
[[rule]]
name = "no sound"
action = "deny"
interface-class = 1
[[rule]]
action = "ask"
interface-class = 3
"""


class Seat(GuestCase):
    """QEMU's disk, keyboard, mouse and sound card, and the PS/2 keyboard of the computer itself."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = image.filled(self.scratch / "disk.img", SIZE)
        self.usb = QemuHardware("seat", XHCI)
        self.usb.attach_storage("disk", self.disk)

    def workstation(self) -> Guest:
        """A guest with our programs in it."""
        boot = with_built(linux(initramfs.SEAT), map(program, PROGRAMS), self.scratch)
        guest = self.boot(self.usb, boot=boot)
        guest.check("ln -s /usr/bin/udevadm /run/systemd-udevd && /run/systemd-udevd --daemon")
        usb_view.wait_disk(guest, SIZE)
        return guest

    def listed(self, guest: Guest, arguments: str = "") -> dict[str, dict]:
        """What `list --json` shows, by vendor and product and, for input devices, what they are."""
        shown = json.loads(guest.check(f"periplex-seat list --json {arguments}"))
        return {one.get("input") or f"{one['vendor']}:{one['product']}": one for one in shown["peripherals"]}

    def test_everything_is_listed_with_the_rule_that_decides(self) -> None:
        self.usb.attach("keyboard", "kbd")
        self.usb.attach("mouse", "mouse")
        self.usb.attach_sound("card", playback=self.scratch / "played.wav")
        guest = self.workstation()
        guest.write_file("/run/rules.toml", RULES.encode())
        without = self.listed(guest)
        self.assertEqual({one["by"] for one in without.values()}, {"there are no rules"})
        shown = self.listed(guest, "--config /run/rules.toml")
        disk = shown[STORAGE]
        self.assertEqual((disk["action"], disk["by"]), ("allow", "rule 1 (disks)"))
        self.assertEqual(disk["interface_classes"], [8])
        self.assertEqual(disk["drivers"], ["usb-storage"])
        self.assertEqual(disk["speed"], "super")
        self.assertTrue(disk["id"].startswith("usb:46f4:0001:"), disk["id"])
        self.assertEqual(shown[AUDIO]["by"], "rule 2 (no sound)")
        self.assertEqual(shown[KEYBOARD]["action"], "ask")
        self.assertEqual(shown["keyboard"]["kind"], "input", "the PS/2 keyboard")
        self.assertEqual(shown["keyboard"]["by"], "no rule fits")
        self.assertEqual(usb_view.interface_driver(guest, usb_view.usb_device(guest, usb_view.disks(guest)[0])),
                         "usb-storage", "looking takes nothing")
        self.assertIn("allow: rule 1 (disks)", guest.check("periplex-seat --config /run/rules.toml list"))
        self._watch(guest)
        self._udev(guest)
        self.assert_healthy(guest)

    def _watch(self, guest: Guest) -> None:
        """Plugging and pulling is told while it happens."""
        guest.check("periplex-seat watch --json --config /run/rules.toml >/run/events 2>&1 & echo $! >/run/pid")
        guest.until("grep -q 46f4 /run/events")
        self.usb.detach("disk")
        guest.until("grep -q '\"event\":\"left\"' /run/events")
        self.usb.attach_storage("again", self.disk)
        guest.until("[ $(grep -c 46f4:0001 /run/events) = 3 ]")
        guest.check("kill $(cat /run/pid); while kill -0 $(cat /run/pid) 2>/dev/null; do sleep 0.1; done")
        events = [json.loads(line) for line in guest.check("cat /run/events").splitlines()]
        of_disk = [(e["event"], e["peripheral"]["by"]) for e in events if e["peripheral"].get("vendor") == "46f4"
                   and e["peripheral"]["product"] == "0001"]
        self.assertEqual(of_disk, [("arrived", "rule 1 (disks)"), ("left", "rule 1 (disks)"),
                                   ("arrived", "rule 1 (disks)")])

    def _udev(self, guest: Guest) -> None:
        """With our udev rules the disk is its user's, and a hub would not be."""
        guest.check("mkdir -p /run/udev/rules.d")
        guest.write_file("/run/udev/rules.d/70-periplex-seat.rules", UDEV_RULES.read_bytes())
        guest.check("udevadm control --reload && udevadm trigger --settle --subsystem-match=usb")
        disk = usb_view.usb_device(guest, usb_view.wait_disk(guest, SIZE))
        self.assertIn("uaccess", guest.check(f"udevadm info -q property -p {disk}"))
        self.assertNotIn("uaccess", guest.check("udevadm info -q property -p /sys/bus/usb/devices/usb1"))

    def probe(self, guest: Guest, what: str, device: str, more: str = "") -> str:
        """Runs the probe on a device; what it said on standard error."""
        vendor, product = device.split(":")
        guest.until(f"grep -l {vendor} $(grep -l {product} /sys/bus/usb/devices/*/idProduct | sed s/Product/Vendor/)")
        return guest.check(f"usb_probe {what} 0x{vendor} 0x{product} {more} 2>&1 >/run/out", 60)

    def test_devices_are_driven_and_given_back(self) -> None:
        self.usb.attach("keyboard", "kbd")
        guest = self.workstation()
        content = self.disk.read_bytes()
        for blocks in (64 * 1024 // BLOCK, 5 * MIB // 2 // BLOCK, 8 * MIB // BLOCK):
            with self.subTest(blocks=blocks):
                said = self.probe(guest, "disk", STORAGE, f"100 {blocks}")
                self.assertIn(f"capacity: {SIZE // BLOCK} blocks of {BLOCK}", said)
                self.assertEqual(guest.read_file("/run/out"), content[100 * BLOCK:(100 + blocks) * BLOCK])
        usb_view.wait_disk(guest, SIZE)
        self.assertEqual(guest.check(f"sha256sum </dev/{usb_view.disks(guest)[0]}").split()[0],
                         image.sha256(self.disk), "the kernel has its disk again")

        keyboard = guest.check("grep -l 0627 /sys/bus/usb/devices/*/idVendor").rpartition("/")[0]
        self.assertEqual(usb_view.interface_driver(guest, keyboard), "usbhid")
        self.probe(guest, "cancel", KEYBOARD)
        self.assertEqual(guest.check("cat /run/out"), "cancelled")
        self.assertEqual(usb_view.interface_driver(guest, keyboard), "usbhid", "the kernel has its keyboard again")
        self.assert_healthy(guest)

        guest.check("usb_probe wait 0x0627 0x0001 >/run/waited 2>/dev/null & echo $! >/run/pid")
        guest.until("grep -q waiting /run/waited")
        self.assertNotEqual(usb_view.interface_driver(guest, keyboard), "usbhid")
        self.usb.type_text("a", "kbd")
        guest.until("[ $(grep -c ok /run/waited) = 2 ]")
        self.usb.detach("kbd")
        guest.until("! kill -0 $(cat /run/pid) 2>/dev/null")
        self.assertEqual(guest.check("tail -n 1 /run/waited"), "disconnected")

    def test_a_disk_with_streams_answers_through_them(self) -> None:
        guest = self.workstation()
        self.usb.attach_storage("uas", image.empty(self.scratch / "uas.img", 8 * MIB), uas=True)
        usb_view.wait_disk(guest, 8 * MIB)
        said = self.probe(guest, "uas", UAS)
        self.assertIn("command: ok, data: ok, status: ok", said)
        self.assertIn(b"QEMU", guest.read_file("/run/out"))
        self.assert_healthy(guest)

    def test_sound_goes_out_packet_by_packet(self) -> None:
        self.usb.attach_sound("card", playback=self.scratch / "played.wav")
        guest = self.workstation()
        self.probe(guest, "play", AUDIO)
        self.assertEqual(guest.check("cat /run/out"), "1000")
        guest.until("[ -e /proc/asound/card0 ]")  # the kernel has its sound card again
        self.assert_healthy(guest)
        guest.qmp.execute("quit")
        while not guest.ended():
            time.sleep(0.05)
        samples = Counter(array.array("h", (self.scratch / "played.wav").read_bytes()))
        del samples[0]
        # QEMU's card has a volume of its own, and plays what it gets in time.
        self.assertGreaterEqual(max(samples.values(), default=0), 0.9 * 48000 * 2, samples.most_common(3))

    def test_a_keyboard_that_is_no_usb_device_becomes_one(self) -> None:
        guest = self.workstation()
        node = guest.check("basename $(dirname $(dirname $(grep -l 'AT ' /sys/class/input/event*/device/name)))")
        guest.check(f"input_probe {node} 4 >/run/reports 2>&1 & echo $! >/run/pid")
        guest.until("grep -q ready /run/reports")
        self.usb.type_text("B", "")
        guest.until("! kill -0 $(cat /run/pid) 2>/dev/null")
        self.assertEqual(guest.check("cat /run/reports").splitlines()[1:],
                         ["02 00 00 00 00 00 00 00", "02 00 05 00 00 00 00 00",
                          "02 00 00 00 00 00 00 00", "00 00 00 00 00 00 00 00"])
        self.assert_healthy(guest)

# SPDX-License-Identifier: Apache-2.0
"""Storage as USB Attached SCSI, through Linux's uas: with streams at SuperSpeed, without them at high speed."""

import random
import time

from lab import image, initramfs, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, XHCI
from lab.faulty_file import FaultyFile
from lab.guest import Guest
from lab.image import MIB


class Uas(GuestCase):
    """What UAS is for: many commands at once, and an orderly end of those that take too long."""

    streams = True

    @essential
    def test_uas_binds_with_a_deep_queue(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 16 * MIB)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk, uas=True)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, 16 * MIB)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(usb_view.interface_driver(guest, device), "uas")
        self.assertEqual(usb_view.speed(guest, device), self.controller.megabits)
        self.assertGreater(int(guest.check(f"cat /sys/block/{name}/device/queue_depth")), 1)
        if self.controller == XHCI:
            self.assertEqual(usb_view.has_streams(guest), self.streams)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
        self.assertIn("Peripheral device type: disk", guest.check(f"sg_inq /dev/{name}"))
        self.assert_healthy(guest)

    @essential
    def test_many_commands_are_under_way_at_once(self) -> None:
        with FaultyFile(8 * MIB) as file:
            guest, name = self._guest_with(file)
            file.delay = 0.5
            started = time.monotonic()
            guest.check("".join(f"""
                dd if=/dev/{name} of=/dev/null bs=4k count=1 skip={64 * reader} iflag=direct 2>/dev/null &
                """ for reader in range(8)) + f"""
                until read reads writes </sys/block/{name}/inflight && [ $reads -gt 1 ]; do :; done
                wait""", 60)
            # Without streams the image is read once a command's turn on the one data pipe has come.
            if self.streams:
                self.assertLess(time.monotonic() - started, 8 * 0.5 * 0.75, "one after the other they take four seconds")
            self.assert_healthy(guest)

    @essential
    def test_random_reads_and_writes_of_many_processes_meet_the_right_blocks(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 16 * MIB)
        before = disk.read_bytes()
        hardware = self.hardware()
        hardware.attach_storage("disk", disk, uas=True)
        guest = self.boot(hardware)
        name = usb_view.wait_disk(guest, 16 * MIB)
        blocks = random.Random(11).sample(range(4096), k=count(400, 4000))
        # Each process copies its blocks from the lower half of the disk to the upper half, turned around.
        shares = [[block for block in blocks if block < 2048][start::8] for start in range(8)]
        guest.check("".join(f"""
            (for block in {' '.join(map(str, share))}; do
                dd if=/dev/{name} bs=4k skip=$block count=1 iflag=direct 2>/dev/null |
                    dd of=/dev/{name} bs=4k seek=$((4095 - block)) oflag=direct conv=notrunc iflag=fullblock 2>/dev/null
            done) &""" for share in shares) + "\nwait; sync", 600)
        expected = bytearray(before)
        for block in blocks:
            if block < 2048:
                place = (4095 - block) * 4096
                expected[place:place + 4096] = before[block * 4096:block * 4096 + 4096]
        self.assertTrue(disk.read_bytes() == expected, "the image differs from what was copied")
        self.assert_healthy(guest)

    @essential
    def test_commands_that_time_out_are_aborted_and_come_right_when_tried_again(self) -> None:
        with FaultyFile(8 * MIB) as file:
            content = image.filled(self.scratch / "content", 8 * MIB).read_bytes()
            file.fill(content)
            guest, name = self._guest_with(file)
            guest.check(f"echo 2 >/sys/block/{name}/device/timeout")
            file.delay = 20.0
            since = guest.console.mark()
            guest.check("".join(f"""
                (dd if=/dev/{name} of=/tmp/part{reader} bs=64k count=1 skip={8 * reader} iflag=direct 2>/dev/null
                 echo $? >/tmp/status{reader}) &""" for reader in range(4)))
            guest.wait_for("uas_eh_abort_handler", 30, since)
            file.recover()
            for reader in range(4):
                self.assertEqual(guest.until(f"cat /tmp/status{reader}", 60), "0")
                start = 8 * reader * 65536
                self.assertTrue(guest.read_file(f"/tmp/part{reader}") == content[start:start + 65536])
            guest.wait_for("uas_eh_device_reset_handler success", 10, since)

    @essential
    def test_a_device_reset_during_reads_loses_nothing(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk, uas=True)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, 8 * MIB)
        node = usb_view.generic(guest, name)
        guest.check(f"""
            (i=0; while [ ! -e /tmp/enough ]; do
                [ "$(dd if=/dev/{name} bs=64k iflag=direct 2>/dev/null | sha256sum)" = \
                  "{image.sha256(disk)}  -" ] || echo wrong >>/tmp/wrong
            done; touch /tmp/ended) &""")
        for _ in range(count(3, 30)):
            guest.check(f"sg_reset -d {node} && sleep 0.2", 60)
        guest.check("touch /tmp/enough")
        guest.until("[ -e /tmp/ended ]", 60)
        self.assertEqual(guest.check("cat /tmp/wrong 2>/dev/null || true"), "")
        usb_view.wait_disk(guest, 8 * MIB)

    @essential
    def test_a_disk_is_pulled_while_many_processes_read_it(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        hardware = self.hardware()
        guest = self.boot(hardware)
        for turn in range(count(3, 50)):
            with self.subTest(turn=turn):
                hardware.attach_storage(f"disk{turn}", disk, uas=True)
                name = usb_view.wait_disk(guest, 8 * MIB)
                guest.check("rm -f /tmp/ended.*; " + "".join(f"""
                    (while dd if=/dev/{name} of=/dev/null bs=64k iflag=direct 2>/dev/null; do
                        touch /tmp/turn; done; touch /tmp/ended.{reader}) &""" for reader in range(4)) + """
                    rm -f /tmp/turn; until [ -e /tmp/turn ]; do sleep 0.02; done""", 30)
                hardware.detach(f"disk{turn}")
                usb_view.wait_no_disk(guest, 60)
                guest.until("[ $(ls /tmp/ended.* | wc -l) = 4 ]", 60)
        self.assert_healthy(guest)

    def _guest_with(self, file: FaultyFile) -> tuple[Guest, str]:
        hardware = self.hardware()
        hardware.attach_storage("disk", file.path, uas=True)
        guest = self.boot(hardware)
        return guest, usb_view.wait_disk(guest, len(file.contents()))


class UasOnEhci(Uas, controller=EHCI):
    """At high speed: commands, data and status take turns on four pipes."""

    streams = False

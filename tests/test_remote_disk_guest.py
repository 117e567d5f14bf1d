# SPDX-License-Identifier: Apache-2.0
"""A disk at a seat as a machine's own drivers see it: terminated, or tunnelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import image, initramfs, usb_view, workstation
from lab.case import count, essential
from lab.controller import EHCI, UHCI
from lab.faulty_file import FaultyFile
from lab.guest import Guest
from lab.image import MIB
from lab.seat_case import ATTACHED_SCSI, DISK, SeatCase
from lab.seat_host import Seat

SIZE = 8 * MIB
SECTOR = 512
BAD = 8192  # the sector that cannot be read


class RemoteDiskCase(SeatCase):
    """One disk: QEMU's in the workstation, and what the machine's guest has of it."""

    size = SIZE

    def bring(self, *devices: str, **settings: str) -> tuple[Seat, Guest, str]:
        """Seat, guest, and the name that the disk has there."""
        seat = self.seat(*devices)
        guest = self.boot(self.machine, initramfs.STORAGE)
        return seat, guest, self.bring_disk(seat, guest, **settings)

    def bring_disk(self, seat: Seat, guest: Guest, disk: str = DISK, **settings: str) -> str:
        """Attaches the workstation's disk; the name that it has in the guest."""
        usb_view.wait_disk(seat.guest, self.size)
        self.attach(seat, disk, "disk", **settings)
        return usb_view.wait_disk(guest, self.size, 60)

    def give_back(self, seat: Seat, guest: Guest) -> None:
        """Detaches the disk, and waits until the workstation has it again."""
        self.machine.detach("disk")
        usb_view.wait_no_disk(guest)
        usb_view.wait_disk(seat.guest, self.size)

    def shown(self) -> dict[str, Any]:
        """How `periplex list` says that the disk is brought here."""
        return self.machine.device("disk")["disk"]

    def counters(self) -> dict[str, int]:
        """What `periplex stats` says of it."""
        return next(device["disk"] for device in self.machine.machine.json("stats")["devices"])

    def check_both_ways(self, guest: Guest, name: str, content: Path) -> None:
        """The whole disk is read, and its first half copied to its second."""
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 180).split()[0], image.sha256(content))
        half = self.size // 2
        guest.check(f"dd if=/dev/{name} of=/dev/{name} bs=64k count={half >> 16} seek={half >> 16} conv=notrunc "
                    f"iflag=fullblock 2>/dev/null; sync", 180)

    def check_written(self, seat: Seat, guest: Guest, content: Path) -> None:
        """The disk is given back, with what was written."""
        self.give_back(seat, guest)
        seat.guest.check("sync")
        written = content.read_bytes()
        self.assertEqual(written[:self.size // 2], written[self.size // 2:])


class RemoteDisk(RemoteDiskCase):
    """Data both ways, by each controller and both ways of bringing the disk."""

    bus = "ehci.0"

    @essential
    def test_a_disk_is_terminated_and_carries_checksummed_data_both_ways(self) -> None:
        content = image.filled(self.scratch / "disk.img", self.size)
        seat, guest, name = self.bring(*workstation.disk("disk", content, self.bus))
        self.assertTrue(self.shown()["terminated"])
        self.check_both_ways(guest, name, content)
        counters = self.counters()
        self.assertGreater(counters["commands"], counters["round_trips"])
        self.assertGreaterEqual(counters["bytes_read"], self.size)
        self.assertGreaterEqual(counters["bytes_written"], self.size // 2)
        prometheus = self.machine.machine.cli("stats", "--prometheus")
        self.assertRegex(prometheus, r'periplex_disk_commands_total\{.*peripheral="disk".*\} [1-9]')
        self.assertIn("terminated, read-ahead 16 MiB", self.machine.machine.cli("list"))
        self.check_written(seat, guest, content)
        self.assert_healthy(guest)

    @essential
    def test_a_disk_is_tunnelled_on_request(self) -> None:
        content = image.filled(self.scratch / "disk.img", self.size)
        seat, guest, name = self.bring(*workstation.disk("disk", content, self.bus), terminate="false")
        self.assertEqual(self.shown(), {"terminated": False})
        self.check_both_ways(guest, name, content)
        self.check_written(seat, guest, content)
        self.assert_healthy(guest)


class RemoteDiskOnEhci(RemoteDisk, controller=EHCI):
    """A high-speed disk behind EHCI."""


class RemoteDiskOnUhci(RemoteDisk, controller=UHCI):
    """A high-speed disk behind a controller that knows only full speed."""

    size = 2 * MIB


class RemoteSuperSpeedDisk(RemoteDiskCase):
    """What is the terminated disk's own, whatever the controller."""

    bus = "xhci.0"

    def test_the_guest_sees_who_the_disk_is(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        seat = self.seat(*workstation.disk("disk", content, self.bus))
        there = self._identity(seat.guest, usb_view.wait_disk(seat.guest, SIZE))
        guest = self.boot(self.machine, initramfs.STORAGE)
        self.attach(seat, DISK, "disk")
        name = usb_view.wait_disk(guest, SIZE, 60)
        self.assertEqual(self._identity(guest, name), there)
        self.assertIn("QEMU HARDDISK", there)
        self.assertTrue(self.shown()["terminated"])
        self.assertEqual(usb_view.interface_driver(guest, usb_view.usb_device(guest, name)), "uas",
                         "the guest chooses its transport, though the real disk is bulk-only")

    def _identity(self, guest: Guest, name: str) -> str:
        """What USB and SCSI say of a disk."""
        usb = usb_view.usb_device(guest, name)
        return guest.check(f"""
            cd {usb}; cat idVendor idProduct bcdDevice manufacturer product serial
            cd /sys/block/{name}; cat size queue/logical_block_size device/vendor device/model device/rev
            cat removable ro""")

    def test_an_attached_scsi_disk_serves_a_bulk_only_guest(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        seat = self.seat(*workstation.uas_disk("disk", content))
        guest = self.boot(self.machine, initramfs.STORAGE)
        guest.check("echo 46f4:0003:u >/sys/module/usb_storage/parameters/quirks")
        name = self.bring_disk(seat, guest, ATTACHED_SCSI)
        self.assertTrue(self.shown()["terminated"])
        self.assertEqual(usb_view.interface_driver(guest, usb_view.usb_device(guest, name)), "usb-storage")
        self.check_both_ways(guest, name, content)
        self.check_written(seat, guest, content)
        self.assert_healthy(guest)

    def test_it_is_read_and_written_though_the_network_is_cut(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        seat = self.seat(*workstation.disk("disk", content, self.bus))
        guest = self.boot(self.machine)
        for write_cache in ("off", "on"):
            with self.subTest(write_cache=write_cache):
                name = self.bring_disk(seat, guest, write_cache=write_cache)
                port = self.machine.device("disk")["port"]
                for turn in range(count(1, 10)):
                    self._check_while_cut(seat, guest, name, content, turn)
                self.assertEqual(self.machine.device("disk")["port"], port, "no unplug")
                self.assertEqual(self.counters()["early_writes"] > 0, write_cache == "on")
                self.give_back(seat, guest)
        self.assert_healthy(guest)

    def _check_while_cut(self, seat: Seat, guest: Guest, name: str, content: Path, seek: int) -> None:
        """Reads all, and writes 3 MiB from the 64 KiB block `seek` on, while connections are cut."""
        end = self.cutting(seat, 0.7)
        guest.check("echo 3 >/proc/sys/vm/drop_caches")
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 180).split()[0], image.sha256(content))
        guest.check("dd if=/dev/urandom of=/tmp/data bs=64k count=48 2>/dev/null; "
                    f"dd if=/tmp/data of=/dev/{name} bs=64k seek={seek} conv=notrunc,fsync 2>/dev/null", 180)
        end()
        data = guest.read_file("/tmp/data", 60)
        self.assertEqual(content.read_bytes()[seek << 16:][:len(data)], data, "what was flushed is on the disk")

    def test_a_sequential_read_is_read_ahead(self) -> None:
        self.size = 4 * SIZE
        content = image.filled(self.scratch / "disk.img", self.size)
        _, guest, name = self.bring(*workstation.disk("disk", content, self.bus))
        before = self.counters()
        blocks = self.size >> 16
        self.assertEqual(guest.check(f"dd if=/dev/{name} bs=64k iflag=direct 2>/dev/null | sha256sum", 120).split()[0],
                         image.sha256(content))
        after = self.counters()
        hits = after["read_ahead_hits"] - before["read_ahead_hits"]
        self.assertGreater(hits, blocks * 9 // 10)
        self.assertLess(after["round_trips"] - before["round_trips"], blocks // 10)

    def test_a_flush_waits_until_the_disk_has_everything(self) -> None:
        files = [(write_cache, self.enterContext(FaultyFile(SIZE))) for write_cache in ("off", "on")]
        seat = self.seat()  # after the files are there: its QEMU sees what is mounted then
        guest = self.boot(self.machine)
        for write_cache, file in files:
            with self.subTest(write_cache=write_cache):
                node = f"medium-{write_cache}"
                seat.guest.qmp.execute("blockdev-add", {"driver": "raw", "node-name": node,
                                                      "file": {"driver": "file", "filename": str(file.path)}})
                seat.guest.qmp.execute("device_add", {"driver": "usb-storage", "id": "disk", "bus": self.bus,
                                                    "drive": node, "serial": write_cache})
                since = guest.console.mark()
                name = self.bring_disk(seat, guest, write_cache=write_cache)
                guest.wait_for("Write cache: enabled", since=since)
                before = file.syncs
                guest.check(f"tr '\\000' '\\245' </dev/zero | dd of=/dev/{name} bs=64k count=8 seek=3 iflag=fullblock "
                            "conv=notrunc,fsync 2>/dev/null", 60)
                self.assertGreater(file.syncs, before, "no fsync came to the image")
                self.assertEqual(file.contents()[3 << 16:11 << 16], b"\xa5" * (8 << 16))
                self.give_back(seat, guest)
                seat.guest.qmp.device_del("disk")
                usb_view.wait_no_disk(seat.guest)
                seat.guest.qmp.execute("blockdev-del", {"node-name": node})

    def test_a_bad_sector_is_an_honest_error(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        # ENODATA is QEMU's word for a medium error.
        faulty = (f"driver=blkdebug,node-name=faulty,image.driver=file,image.filename={content},"
                  f"inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.sector={BAD},"
                  "inject-error.0.errno=61")
        _, guest, name = self.bring("-blockdev", faulty, "-device", "usb-storage,id=disk,drive=faulty,rerror=report,"
                                    f"serial=disk,bus={self.bus}")
        self.assertTrue(self.shown()["terminated"])
        bad = BAD * SECTOR // 4096
        since = guest.console.mark()
        status, said = guest.run(f"dd if=/dev/{name} of=/dev/null bs=4k skip={bad} count=1 iflag=direct", 60)
        self.assertNotEqual(status, 0)
        self.assertIn("No data available", said)
        guest.wait_for(r"Sense Key : Medium Error", since=since)
        guest.wait_for(r"Add. Sense: Unrecovered read error", since=since)
        good = content.read_bytes()
        for skip in (0, bad - 1, bad + 1):
            data = guest.run_raw(f"dd if=/dev/{name} bs=4k skip={skip} count=1 iflag=direct 2>/dev/null")
            self.assertEqual(data, (0, good[skip * 4096:skip * 4096 + 4096]), "a neighbour")
        # Read in sequence, it is met ahead of the guest: the error comes with the guest's own read, and not before.
        status, _ = guest.run(f"dd if=/dev/{name} of=/tmp/read bs=64k iflag=direct", 60)
        self.assertNotEqual(status, 0)
        read = guest.read_file("/tmp/read", 60)
        self.assertEqual(len(read) >> 16, BAD * SECTOR >> 16)
        self.assertEqual(read[:BAD * SECTOR >> 16 << 16], good[:BAD * SECTOR >> 16 << 16])

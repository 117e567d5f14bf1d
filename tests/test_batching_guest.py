# SPDX-License-Identifier: Apache-2.0
"""Transfer batching, as the device side sees it: `periplex stats` while Linux's own drivers work packet by packet.

The peer counts nothing, so these tests are for Periplex only, but for those whose names say nothing of requests.
"""

import time
from dataclasses import dataclass

from lab import image, initramfs, usb_view
from lab.case import GuestCase, essential
from lab.controller import EHCI, UHCI
from lab.faulty_file import FaultyFile
from lab.guest import Guest
from lab.hardware import UsbHardware
from lab.image import MIB

SIZE = 8 * MIB
KIB64 = 65536
SECTORS = KIB64 // 512
SOON = 5.0  # seconds


@dataclass
class Bulk:
    """The counters of a disk's two bulk endpoints."""

    to_device: dict[str, int]
    to_guest: dict[str, int]

    @classmethod
    def of(cls, hardware: UsbHardware, identifier: str = "disk") -> "Bulk":
        """Those of now."""
        ends = {int(address, 16) & 0x80: end for address, end in hardware.counters(identifier).items()
                if end["type"] == "bulk"}
        return cls(ends.get(0x00, {}), ends.get(0x80, {}))  # one that the guest has not used yet is not there

    def since(self, before: "Bulk") -> "Bulk":
        """What has come to them since `before`."""
        return Bulk(*({key: value - old.get(key, 0) for key, value in new.items() if isinstance(value, int)}
                      for new, old in ((self.to_device, before.to_device), (self.to_guest, before.to_guest))))


class Batching(GuestCase):
    """One request for a data set, however many packets it is to the guest."""

    packets = 1  # that 64 KiB are to this controller's driver, at least: one TRB where they are in one piece

    def setUp(self) -> None:
        super().setUp()
        self.disk = image.filled(self.scratch / "disk.img", SIZE)
        self.usb = self.hardware()

    @essential
    def test_a_64_kib_write_is_one_request(self) -> None:
        guest, node = self._guest_with_disk()
        done = self._counted(guest, f"sg_raw -s {KIB64} -i /tmp/data {node} {self._cdb(0x2A)}")
        self.assertEqual(done.to_device["requests"], 2, f"the command and its data: {done}")
        self.assertEqual(done.to_guest["requests"], 1, f"the status: {done}")
        self.assertEqual(done.to_device["bytes"], KIB64 + 31)
        self.assertGreaterEqual(done.to_device["guest_packets"], self.packets + 1)
        self.assertEqual(self._trouble(done), 0, done)
        self.assertEqual(guest.read_file("/tmp/data"), self.disk.read_bytes()[:KIB64])

    @essential
    def test_interrupts_are_messages_that_need_no_unmasking(self) -> None:
        guest, node = self._guest_with_disk()
        functions = [f"/sys/bus/pci/devices/{function.address}/msi_irqs" for function in usb_view.functions(guest)]
        self.assertNotEqual(functions, [])
        for messages in functions:
            self.assertNotEqual(guest.check(f"ls {messages}"), "")

    @essential
    def test_a_64_kib_read_is_one_request(self) -> None:
        guest, node = self._guest_with_disk()
        done = self._counted(guest, f"sg_raw -r {KIB64} -o /tmp/data {node} {self._cdb(0x28)}")
        self.assertEqual(done.to_device["requests"], 1, f"the command: {done}")
        self.assertEqual(done.to_guest["requests"], 2, f"the data and the status: {done}")
        self.assertEqual(done.to_guest["bytes"], KIB64 + 13)
        self.assertGreaterEqual(done.to_guest["guest_packets"], self.packets + 1)
        self.assertEqual(self._trouble(done), 0, done)
        self.assertEqual(guest.read_file("/tmp/data"), self.disk.read_bytes()[:KIB64])

    @essential
    def test_requests_of_scattered_pages_are_gathered_where_the_queue_shows_them(self) -> None:
        guest, _ = self._guest_with_disk()
        name = usb_view.wait_disk(guest, SIZE)
        for end, copy in (("to_guest", f"dd if=/dev/{name} of=/dev/null iflag=direct bs=64k count=64"),
                          ("to_device", f"dd if=/dev/zero of=/dev/{name} oflag=direct bs=64k count=64")):
            before = Bulk.of(self.usb)
            guest.check(f"{copy} 2>/dev/null", 120)
            done = getattr(Bulk.of(self.usb).since(before), end)
            # UHCI's driver gets sixteen URBs for sixteen pages, one after the other, while we look.
            self.assertLessEqual(done["requests"], 64 * 4, f"{end}: {done}")
            self.assertGreaterEqual(done["bytes"], 64 * KIB64)

    @essential
    def test_a_short_answer_ends_a_120_kib_data_set_at_the_right_packet(self) -> None:
        # By UAS, because a bulk-only disk of ours sends as many bytes as there is room for, as a disk may.
        guest, node = self._guest_with_disk(uas=True)
        for blocks in (1, 119, 127):
            with self.subTest(blocks=blocks):
                # The command says what the disk sends; the transfer below it has room for more.
                guest.check(f"rm -f /tmp/data; sg_raw -r 122880 -o /tmp/data {node} "
                            f"28 00 00 00 00 00 00 00 {blocks:02x} 00")
                self.assertEqual(guest.read_file("/tmp/data"), self.disk.read_bytes()[:blocks * 512])
        guest.check(f"rm -f /tmp/data; sg_raw -r 122880 -o /tmp/data {node} 12 00 00 00 24 00")
        self.assertEqual(len(guest.read_file("/tmp/data")), 36, "INQUIRY: less than a packet")
        self.assertEqual(sum(end["errors"] for end in self.usb.counters("disk").values()), 0)
        self.assert_healthy(guest)

    @essential
    def test_what_the_guest_withdraws_is_never_written_to_its_memory(self) -> None:
        with FaultyFile(SIZE) as file:
            file.fill(b"\xa5" * SIZE)
            self.usb.attach_storage("disk", file.path)
            guest = self._boot()
            node = usb_view.generic(guest, usb_view.wait_disk(guest, SIZE))
            file.delay = 8.0
            since = guest.console.mark()
            status, _ = guest.run(f"sg_raw -t 2 -r {KIB64} -o /tmp/data {node} {self._cdb(0x28)}", 60)
            self.assertNotEqual(status, 0, "the command timed out")
            guest.wait_for(r"reset \S+-speed USB device|reset SuperSpeed", 20, since)
            # The pages of the request are free: all free memory is filled with zeros before the late answer comes.
            guest.check("mount -t tmpfs -o size=340m tmpfs /mnt && (dd if=/dev/zero of=/mnt/zeros bs=1M 2>/dev/null; true)", 60)
            file.delay = 0.0
            guest.until(f"sg_turs {node}", 60)
            guest.check("sleep 8; [ $(tr -d '\\0' </mnt/zeros | wc -c) = 0 ]", 120)
            guest.check(f"sg_raw -r {KIB64} -o /tmp/data {node} {self._cdb(0x28)}", 60)
            self.assertEqual(guest.read_file("/tmp/data"), b"\xa5" * KIB64)

    @essential
    def test_requests_that_the_guest_withdraws_are_cancelled_on_the_device_side(self) -> None:
        self.usb.attach_serial("line")
        guest = self.boot(self.usb, initramfs.SERIAL)
        node = usb_view.wait_serial(guest)
        before = Bulk.of(self.usb, "line")
        guest.check(f"exec 4<>{node}; sleep 0.5; exec 4<&-")  # reads wait for data from now on, and then no more
        # A queue that is away for a few frames may come back, so that the end of it is seen only after them.
        deadline = time.monotonic() + SOON
        done = Bulk.of(self.usb, "line").since(before)
        while done.to_guest["cancellations"] != done.to_guest["requests"] and time.monotonic() < deadline:
            time.sleep(0.05)
            done = Bulk.of(self.usb, "line").since(before)
        self.assertGreaterEqual(done.to_guest["requests"], 1)
        self.assertEqual(done.to_guest["cancellations"], done.to_guest["requests"])
        self.assert_healthy(guest)

    def _boot(self) -> Guest:
        guest = self.boot(self.usb, initramfs.STORAGE)
        # The sg driver gets 64 KiB in one piece, so that it is one URB.
        guest.check("echo 131072 >/sys/module/sg/parameters/scatter_elem_sz")
        return guest

    def _guest_with_disk(self, uas: bool = False) -> tuple[Guest, str]:
        self.usb.attach_storage("disk", self.disk, uas=uas)
        guest = self._boot()
        node = usb_view.generic(guest, usb_view.wait_disk(guest, SIZE))
        guest.check("dd if=/dev/urandom of=/tmp/data bs=64k count=1 2>/dev/null")
        return guest, node

    def _counted(self, guest: Guest, command: str) -> Bulk:
        before = Bulk.of(self.usb)
        guest.check(command)
        return Bulk.of(self.usb).since(before)

    @staticmethod
    def _cdb(operation: int) -> str:
        """READ(10) or WRITE(10) of the first 64 KiB."""
        return f"{operation:02x} 00 00 00 00 00 00 00 {SECTORS:02x} 00"

    @staticmethod
    def _trouble(done: Bulk) -> int:
        return sum(end[key] for end in (done.to_device, done.to_guest)
                   for key in ("resubmissions", "cancellations", "errors"))


class BatchingOnEhci(Batching, controller=EHCI):
    """A qTD holds up to 20 KiB."""

    packets = 4


class BatchingOnUhci(Batching, controller=UHCI):
    """1,024 packets of 64 bytes."""

    packets = 1024
    test_a_short_answer_ends_a_120_kib_data_set_at_the_right_packet = None  # Linux has no UAS on UHCI


class FasterDiskOnEhci(GuestCase, controller=EHCI):
    """A SuperSpeed disk works at the controller's speed, with whole data sets."""

    faster = "super"

    @essential
    def test_a_faster_disk_reads_and_writes_whole_data_sets(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk, speed=self.faster)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, SIZE)
        self.assertEqual(usb_view.speed(guest, usb_view.usb_device(guest, name)), self.controller.megabits)
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], image.sha256(disk))
        guest.check(f"dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null; "
                    f"dd if=/tmp/data of=/dev/{name} bs=64k seek=16 oflag=direct 2>/dev/null")
        self.assertEqual(disk.read_bytes()[MIB:2 * MIB], guest.read_file("/tmp/data"))
        guest.check("echo 131072 >/sys/module/sg/parameters/scatter_elem_sz")
        node = usb_view.generic(guest, name)
        before = Bulk.of(hardware)
        guest.check(f"sg_raw -s {KIB64} -i /tmp/data {node} 2a 00 00 00 00 00 00 00 {SECTORS:02x} 00")
        self.assertEqual(Bulk.of(hardware).since(before).to_device["requests"], 2)
        self.assert_healthy(guest)


class FasterDiskOnUhci(FasterDiskOnEhci, controller=UHCI):
    """A high-speed disk does, too."""

    faster = "high"

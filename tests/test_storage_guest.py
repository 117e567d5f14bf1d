# SPDX-License-Identifier: Apache-2.0
"""A disk behind the controller, used by Linux's own xhci_hcd, usb-storage and sd."""

import random

from lab import image, initramfs, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.image import MIB

PARTITION = 1 * MIB


class Storage(GuestCase):
    """What a user does with a disk."""

    file_system_mib = 160
    file_mib = 64

    @essential
    def test_a_file_in_a_new_file_system_is_the_same_on_both_sides(self) -> None:
        size = self.file_system_mib * MIB
        disk = image.empty(self.scratch / "disk.img", size)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, size)
        guest.check(f"echo 'start=2048, type=83' | sfdisk -q /dev/{name}")
        guest.until(f"[ -b /dev/{name}1 ]")
        guest.check(f"mkfs.ext4 -q -F /dev/{name}1 && mount -t ext4 /dev/{name}1 /mnt", 120)
        written = guest.check(f"""
            dd if=/dev/urandom bs=1M count={self.file_mib} 2>/dev/null | tee /mnt/file | sha256sum
            sync""", 120).split()[0]
        guest.check("umount /mnt && echo 3 >/proc/sys/vm/drop_caches", 60)
        guest.check(f"mount -t ext4 -o ro /dev/{name}1 /mnt")
        read = guest.check("sha256sum </mnt/file", 120).split()[0]
        self.assertEqual(read, written, "read back in the guest")
        guest.check(f"umount /mnt && e2fsck -fn /dev/{name}1", 120)
        whole = guest.check(f"sha256sum </dev/{name}", 120).split()[0]
        self.assertEqual(image.sha256(disk), whole, "the image file, from the host")
        file = self.scratch / "file"
        file.write_bytes(image.read_ext4(disk, PARTITION, "/file"))
        self.assertEqual(image.sha256(file), written, "the file inside the image, from the host")
        self.assert_healthy(guest)

    def test_random_4_kib_reads_give_what_the_image_holds(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 32 * MIB)
        guest, name = self._guest_with(disk)
        blocks = random.Random(2).choices(range(32 * MIB // 4096), k=count(200, 2000))
        places = " ".join(map(str, blocks))
        data = guest.run_raw(f"""
            for block in {places}; do
                dd if=/dev/{name} bs=4k skip=$block count=1 iflag=direct 2>/dev/null || exit 1
            done""", 300)
        with disk.open("rb") as file:
            expected = b"".join(file.read(4096) for block in blocks if file.seek(block * 4096) >= 0)
        self.assertEqual(data[0], 0)
        self.assertTrue(data[1] == expected, "a block differs")
        self.assert_healthy(guest)

    @essential
    def test_random_4_kib_writes_by_four_writers_land_where_they_belong(self) -> None:
        disk = image.empty(self.scratch / "disk.img", 32 * MIB)
        guest, name = self._guest_with(disk)
        blocks = random.Random(3).sample(range(32 * MIB // 4096), k=count(200, 2000))
        source = guest.check("dd if=/dev/urandom of=/tmp/source bs=4k count=64 2>/dev/null; "
                             "sha256sum </tmp/source").split()[0]
        shares = [blocks[start::4] for start in range(4)]
        guest.check("".join(f"""
            (for block in {' '.join(map(str, share))}; do
                dd if=/tmp/source of=/dev/{name} bs=4k skip=$((block % 64)) seek=$block count=1 \
                    conv=notrunc oflag=direct 2>/dev/null || echo failed at $block
            done) &
            """ for share in shares) + "wait", 300)
        guest.check(f"sync; blockdev --flushbufs /dev/{name}")
        pieces = guest.read_file("/tmp/source")
        self.assertEqual(len(pieces), 64 * 4096, source)
        expected = bytearray(32 * MIB)
        for block in blocks:
            piece = block % 64 * 4096
            expected[block * 4096:block * 4096 + 4096] = pieces[piece:piece + 4096]
        self.assertTrue(disk.read_bytes() == expected, "the image differs from what was written")
        self.assert_healthy(guest)

    @essential
    def test_every_size_of_transfer_arrives_whole(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        guest, name = self._guest_with(disk)
        expected = image.sha256(disk)
        for size in (512, 3584, 4096, 65536, 122880, 1 * MIB, 4 * MIB):
            with self.subTest(size=size):
                whole = 8 * MIB // size * size
                rest = f"dd if=/dev/{name} bs=512 skip={whole // 512} 2>/dev/null"
                shown = guest.check(f"(dd if=/dev/{name} bs={size} count={whole // size} "
                                    f"iflag=direct 2>/dev/null; {rest}) | sha256sum", 300)
                self.assertEqual(shown.split()[0], expected)

    def test_a_read_only_disk_refuses_writes_and_stays_as_it_is(self) -> None:
        disk = image.filled(self.scratch / "disk.img", 8 * MIB)
        before = image.sha256(disk)
        hardware = self.hardware()
        hardware.attach_storage("disk", disk, readonly=True)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, 8 * MIB)
        self.assertEqual(guest.check(f"cat /sys/block/{name}/ro"), "1", "the guest knows")
        status, said = guest.run(f"dd if=/dev/zero of=/dev/{name} bs=4k count=1 oflag=direct")
        self.assertNotEqual(status, 0, said)
        # Past the block layer, which refuses by itself: WRITE(10) of one block through sg.
        status, said = guest.run("dd if=/dev/zero of=/tmp/zero bs=512 count=1 2>/dev/null; "
                                 f"sg_raw -s 512 -i /tmp/zero {usb_view.generic(guest, name)} "
                                 "2a 00 00 00 00 00 00 00 01 00")
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said, "(?i)data protect")
        self.assertRegex(said, "(?i)write protected")
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 60).split()[0], before)
        self.assertEqual(image.sha256(disk), before)
        self.assert_healthy(guest)

    def test_a_flush_of_the_guest_reaches_the_image(self) -> None:
        disk = image.empty(self.scratch / "disk.img", 8 * MIB)
        guest, name = self._guest_with(disk, initramfs.STORAGE)
        self.assertEqual(guest.check(f"cat /sys/block/{name}/queue/write_cache"), "write back")
        guest.check(f"echo durable | dd of=/dev/{name} bs=4k conv=notrunc,fsync,sync 2>/dev/null")
        guest.check(f"sg_sync /dev/{name}")
        self.assertTrue(disk.read_bytes().startswith(b"durable"))

    def test_the_disk_describes_itself(self) -> None:
        disk = image.empty(self.scratch / "disk.img", 8 * MIB)
        guest, name = self._guest_with(disk, initramfs.STORAGE)
        self.assertIn("Last LBA=16383", guest.check(f"sg_readcap /dev/{name}"))
        self.assertIn("Peripheral device type: disk", guest.check(f"sg_inq /dev/{name}"))
        guest.check(f"sg_turs /dev/{name}")
        status, said = guest.run(f"sg_raw /dev/{name} d7 00 00 00 00 00 00 00 00 00")
        self.assertRegex(said, "(?i)illegal request", f"an unknown command, status {status}")
        guest.check(f"sg_turs /dev/{name}")  # and the disk lives on

    def _guest_with(self, disk, contents=initramfs.BASIC):
        hardware = self.hardware()
        hardware.attach_storage("disk", disk)
        guest = self.boot(hardware, contents)
        return guest, usb_view.wait_disk(guest, disk.stat().st_size)


class StorageOnEhci(Storage, controller=EHCI):
    """A high-speed disk."""


class StorageOnUhci(Storage, controller=UHCI):
    """A full-speed disk."""

    file_system_mib = 40
    file_mib = count(8, 16)

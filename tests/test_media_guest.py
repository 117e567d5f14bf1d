# SPDX-License-Identifier: Apache-2.0
"""Media that come out, wear out, fill up or answer slowly, as Linux sees them."""

import time

from lab import image, initramfs, usb_view
from lab.case import GuestCase, essential
from lab.controller import EHCI, UHCI
from lab.faulty_file import FaultyFile
from lab.image import MIB


class Media(GuestCase):
    """Each fault gives the sense data of a real disk with that fault, and nothing else breaks."""

    def test_an_ejected_medium_is_gone_and_the_disk_stays(self) -> None:
        hardware = self.hardware()
        hardware.attach_storage("stick", image.filled(self.scratch / "disk.img", 8 * MIB),
                                removable=True)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, 8 * MIB)
        self.assertEqual(guest.check(f"cat /sys/block/{name}/removable"), "1")
        guest.check(f"dd if=/dev/{name} of=/dev/null bs=64k")
        hardware.eject("stick")
        status, said = guest.run(f"dd if=/dev/{name} of=/dev/null bs=4k count=1")
        self.assertNotEqual(status, 0)
        self.assertIn("No medium found", said)
        self.assertEqual(usb_view.disks(guest), [name], "the drive itself is still there")
        said = guest.run(f"sg_turs -v {usb_view.generic(guest, name)}")[1]
        self.assertRegex(said, "(?i)medium not present|not ready")
        hardware.detach("stick")
        usb_view.wait_no_disk(guest)
        self.assert_healthy(guest)

    def test_the_guest_can_eject_a_stick_itself(self) -> None:
        hardware = self.hardware()
        hardware.attach_storage("stick", image.filled(self.scratch / "disk.img", 8 * MIB),
                                removable=True)
        guest = self.boot(hardware, initramfs.STORAGE)
        name = usb_view.wait_disk(guest, 8 * MIB)
        guest.check(f"eject -s /dev/{name}")
        status, said = guest.run(f"dd if=/dev/{name} of=/dev/null bs=4k count=1")
        self.assertNotEqual(status, 0)
        self.assertIn("No medium found", said)

    @essential
    def test_a_bad_sector_gives_medium_error_and_nothing_else_breaks(self) -> None:
        with FaultyFile(8 * MIB) as file:
            content = image.filled(self.scratch / "content", 8 * MIB).read_bytes()
            file.fill(content)
            guest, name = self._guest_with(file)
            file.bad = range(4 * MIB, 4 * MIB + 4096)
            since = guest.console.mark()
            status, said = guest.run(f"dd if=/dev/{name} of=/dev/null bs=4k skip=1024 count=1 "
                                     "iflag=direct", 60)
            self.assertNotEqual(status, 0)
            # ENODATA, Linux's word for a medium error; any other failure of a disk is EIO.
            self.assertIn("No data available", said)
            guest.wait_for(r"Sense Key : Medium Error", since=since)
            guest.wait_for(r"critical medium error", since=since)
            for skip in (0, 1023, 1025):
                data = guest.run_raw(f"dd if=/dev/{name} bs=4k skip={skip} count=1 iflag=direct "
                                     "2>/dev/null")
                self.assertEqual(data, (0, content[skip * 4096:skip * 4096 + 4096]), "a neighbour")
            file.bad = range(0)
            guest.check(f"dd if=/dev/{name} of=/dev/null bs=64k iflag=direct")
            self.assert_healthy(guest)

    def test_an_image_that_cannot_grow_is_a_full_thin_disk(self) -> None:
        with FaultyFile(8 * MIB) as file:
            guest, name = self._guest_with(file)
            guest.check(f"dd if=/dev/urandom of=/dev/{name} bs=64k count=4 oflag=direct")
            file.capacity = 256 * 1024  # all of it is in use now
            since = guest.console.mark()
            status, said = guest.run(f"dd if=/dev/urandom of=/dev/{name} bs=64k seek=64 count=1 "
                                     "oflag=direct", 60)
            self.assertNotEqual(status, 0)
            self.assertIn("No space left on device", said)
            guest.wait_for(r"Sense Key : Data Protect", since=since)
            guest.wait_for(r"Space allocation failed write protect", since=since)
            guest.check(f"dd if=/dev/urandom of=/dev/{name} bs=64k count=4 oflag=direct")
            file.capacity = 8 * MIB
            guest.check(f"dd if=/dev/urandom of=/dev/{name} bs=64k seek=64 count=1 oflag=direct")
            self.assert_healthy(guest)

    @essential
    def test_a_slow_image_does_not_hold_up_the_controller(self) -> None:
        with FaultyFile(8 * MIB) as file:
            hardware = self.hardware()
            hardware.attach_storage("slow", file.path)
            fast = image.filled(self.scratch / "fast.img", 4 * MIB)
            hardware.attach_storage("fast", fast)
            guest = self.boot(hardware)
            slow_name = usb_view.wait_disk(guest, 8 * MIB)
            fast_name = usb_view.wait_disk(guest, 4 * MIB)
            file.delay = 8.0  # longer than the 5 s that QEMU waits for a reply
            guest.check(f"(dd if=/dev/{slow_name} of=/tmp/slow bs=4k count=1 iflag=direct "
                        "2>/dev/null; echo $? >/tmp/slow-status) &")
            started = time.monotonic()
            guest.check(f"dd if=/dev/{fast_name} of=/dev/null bs=64k iflag=direct")
            self.assertLess(time.monotonic() - started, 4.0, "the other disk had to wait")
            self.assertEqual(guest.until("cat /tmp/slow-status", 30), "0")
            self.assert_healthy(guest)

    def test_a_flush_waits_until_the_image_is_durable(self) -> None:
        with FaultyFile(8 * MIB) as file:
            guest, name = self._guest_with(file)
            before = file.syncs
            guest.check(f"echo x | dd of=/dev/{name} bs=4k conv=fsync,sync 2>/dev/null")
            self.assertGreater(file.syncs, before, "no fsync came to the image")

    def _guest_with(self, file: FaultyFile):
        hardware = self.hardware()
        hardware.attach_storage("disk", file.path)
        guest = self.boot(hardware)
        return guest, usb_view.wait_disk(guest, len(file.contents()))


class MediaOnEhci(Media, controller=EHCI):
    """The same faults of a high-speed disk."""


class MediaOnUhci(Media, controller=UHCI):
    """The same faults of a full-speed disk."""

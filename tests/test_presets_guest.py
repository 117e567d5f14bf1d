# SPDX-License-Identifier: Apache-2.0
"""What is settled about a peripheral at the host, as a guest sees it."""

from lab import evdev, image, initramfs, usb_view, workstation
from lab.case import essential
from lab.controller import EHCI, UHCI
from lab.guest import Guest
from lab.image import MIB
from lab.periplex_hardware import PeriplexHardware
from lab.remote_case import RemoteCase, serving

SIZE = 4 * MIB


class Presets(RemoteCase):
    """A disk that is tunnelled, and the machine's own peripherals."""

    def preset(self, *presets: str) -> PeriplexHardware:
        words = [word for preset in presets for word in ("--preset", preset)]
        return self.enterContext(PeriplexHardware("vm1", self.controller, words))

    def assert_writes_fail(self, guest: Guest, name: str) -> None:
        """Also for a guest that insists."""
        self.assertEqual(guest.check(f"cat /sys/block/{name}/ro"), "1")
        guest.run(f"blockdev --setrw /dev/{name}")
        status, _said = guest.run(f"dd if=/dev/zero of=/dev/{name} bs=4k count=1 oflag=direct", 60)
        self.assertNotEqual(status, 0)

    @essential
    def test_a_disk_elsewhere_is_read_only_under_another_name(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        before = image.sha256(disk)
        port = workstation.free_port()
        self.enterContext(serving("usbip", self.scratch, port, f"storage,image={disk}"))
        hardware = self.preset("di?k,readonly=true,name=Red stick,manufacturer=Ours,serial=77,vendor=0x1209,product=1")
        guest = self.boot(hardware, initramfs.STORAGE)
        self.attach_remote(hardware, "disk", "usbip", host=f"127.0.0.1:{port}", busid="1-1")
        name = usb_view.wait_disk(guest, SIZE, 60)
        device = usb_view.usb_device(guest, name)
        self.assertEqual(guest.check(f"cd {device}; cat idVendor idProduct manufacturer product serial").splitlines(),
                         ["1209", "0001", "Ours", "Red stick", "77"])
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], before)
        self.assert_writes_fail(guest, name)
        # Around the kernel, which knows that it is read-only.
        guest.check("dd if=/dev/zero of=/tmp/zero bs=512 count=1 2>/dev/null")
        write = "2a 00 00 00 00 00 00 00 01 00"
        status, said = guest.run(f"sg_raw -s 512 -i /tmp/zero {usb_view.generic(guest, name)} {write}", 60)
        self.assertNotEqual(status, 0)
        self.assertRegex(said, "(?i)write protect")
        self.assertEqual(guest.check(f"sha256sum </dev/{name}", 120).split()[0], before)
        self.assertEqual(image.sha256(disk), before)
        self.assert_healthy(guest)

    def test_own_peripherals_are_as_they_are_set(self) -> None:
        disk = image.filled(self.scratch / "disk.img", SIZE)
        hardware = self.preset("disk,readonly=true", "kbd,interval-ms=32,name=Loud keys")
        hardware.attach_storage("disk", disk)
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware, initramfs.STORAGE)
        self.assert_writes_fail(guest, usb_view.wait_disk(guest, SIZE))
        self.assertTrue(hardware.device("disk")["readonly"])
        device = usb_view.input_device(guest, evdev.find_node(guest, "keyboard"))
        self.assertEqual(guest.check(f"cat {device}/product {device}/*:1.0/ep_81/interval").splitlines(),
                         ["Loud keys", "32ms"])
        hardware.type_text("typed", "kbd")
        self.assert_healthy(guest)


class PresetsOnEhci(Presets):
    """A high-speed disk, and a keyboard at a companion."""

    controller = EHCI


class PresetsOnUhci(Presets):
    """A disk that is translated to full speed."""

    controller = UHCI

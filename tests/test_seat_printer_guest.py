# SPDX-License-Identifier: Apache-2.0
"""A printer at a seat: Linux's printer gadget behind dummy_hcd in the workstation, and usblp in the machine."""

import hashlib
import random

from lab import initramfs
from lab.case import essential
from lab.controller import EHCI, UHCI
from lab.seat_case import Seat, SeatCase

NAME = "Page Printer"
# Linux, Documentation/usb/gadget_printer.rst and gadget_configfs.rst.
GADGET = f"""
    mount -t configfs none /sys/kernel/config
    cd /sys/kernel/config/usb_gadget && mkdir printer && cd printer
    echo 0x0525 >idVendor; echo 0xa4a8 >idProduct
    mkdir strings/0x409 configs/c.1 functions/printer.0
    echo 'P 1' >strings/0x409/serialnumber; echo Linux >strings/0x409/manufacturer; echo '{NAME}' >strings/0x409/product
    echo 'MFG:Linux;MDL:{NAME};CLS:PRINTER;' >functions/printer.0/pnp_string
    ln -s functions/printer.0 configs/c.1
    echo dummy_udc.0 >UDC
    until [ -c /dev/g_printer0 ]; do sleep 0.1; done"""
# The gadget takes data only while it is read from, and forgets a reader when the device is reset, which happens on the way
# to the machine.
PAPER = "cat /dev/g_printer0 >/run/printed 2>/run/printer.said &"


class SeatPrinter(SeatCase):
    """A page goes from the machine to the printer."""

    @essential
    def test_a_page_is_printed_byte_by_byte_though_the_network_is_cut(self) -> None:
        seat = self.seat(contents=initramfs.SEAT_GADGET)
        seat.guest.check(GADGET)
        guest = self.boot(self.machine, initramfs.PRINTING)
        self.attach(seat, NAME, "printer")
        guest.until("[ -c /dev/usb/lp0 ]", 60)
        # What the printer says of itself in a control transfer of its class (USB printer class 1.1, 4.2.1).
        self.assertIn(NAME, guest.check("cat /sys/class/usbmisc/lp0/device/ieee1284_id"))
        page = b"%!PS\n" + random.Random(1).randbytes(300_000) + b"\nshowpage\n"
        guest.write_file("/run/page", page)
        seat.guest.check(PAPER)
        end = self.cutting(seat, 1.0, times=3)
        guest.check("for i in 1 2 3; do cat /run/page >/dev/usb/lp0 || exit 1; done", 120)
        self._wait_printed(seat, 3 * page)
        end()
        self.assert_never_unplugged(guest)

    def _wait_printed(self, seat: Seat, data: bytes) -> None:
        seat.guest.until(f"[ $(stat -c %s /run/printed) -ge {len(data)} ]", 60)
        self.assertEqual(seat.guest.check("sha256sum </run/printed").split()[0], hashlib.sha256(data).hexdigest())


class SeatPrinterOnEhci(SeatPrinter, controller=EHCI):
    """A high-speed printer."""


class SeatPrinterOnUhci(SeatPrinter, controller=UHCI):
    """A high-speed printer behind a controller that knows only full speed."""

# SPDX-License-Identifier: Apache-2.0
"""A serial port: small bulk transfers in both directions at once, through Linux's cdc_acm."""

import hashlib
import random

from lab import initramfs, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.guest import Guest
from lab.hardware import UsbHardware
from lab.image import MIB
from lab.terminal import Terminal


class Serial(GuestCase):
    """What goes in at one end comes out at the other."""

    @essential
    def test_megabytes_go_both_ways_at_once(self) -> None:
        size = count(1, 10) * MIB
        hardware, guest, node = self._guest_with_port()
        outgoing = random.Random(9).randbytes(size)
        guest.check(f"dd if=/dev/urandom of=/tmp/source bs=64k count={size // 65536} 2>/dev/null")
        with Terminal(hardware.terminal("line")) as terminal:
            guest.check(f"""
                (exec 4<>{node}
                 cat /tmp/source >&4 & sender=$!
                 head -c {size} <&4 | sha256sum >/tmp/sum
                 wait $sender; touch /tmp/done) &""")
            received = terminal.exchange(outgoing, size, count(120, 600))
        guest.until("[ -e /tmp/done ]", 60)
        self.assertEqual(len(received), size, "from the guest")
        self.assertEqual(hashlib.sha256(received).hexdigest(), guest.check("sha256sum </tmp/source").split()[0])
        self.assertEqual(guest.check("cat /tmp/sum").split()[0], hashlib.sha256(outgoing).hexdigest(), "to the guest")
        self.assert_healthy(guest)

    @essential
    def test_short_messages_are_answered_one_by_one(self) -> None:
        hardware, guest, node = self._guest_with_port()
        guest.check(f"(exec 4<>{node}; while read -r line <&4; do echo \"<$line>\" >&4; done) & sleep 0.5")
        with Terminal(hardware.terminal("line")) as terminal:
            for turn in range(count(50, 1000)):
                line = "x" * (turn % 131)  # around one and two full-speed packets
                answer = f"<{line}>\n".encode()
                self.assertEqual(terminal.exchange(f"{line}\n".encode(), len(answer), 20), answer)
        self.assert_healthy(guest)

    def test_a_port_is_pulled_while_it_is_written_to(self) -> None:
        hardware, guest, node = self._guest_with_port()
        guest.check(f"(dd if=/dev/zero of={node} bs=4k 2>/dev/null; touch /tmp/ended) &")
        with Terminal(hardware.terminal("line")) as terminal:
            self.assertEqual(terminal.exchange(b"", MIB // 4, 60)[:MIB // 4], bytes(MIB // 4))
            hardware.detach("line")
            guest.until("[ -e /tmp/ended ]", 30)
        self.assert_healthy(guest)

    def _guest_with_port(self) -> tuple[UsbHardware, Guest, str]:
        hardware = self.hardware()
        hardware.attach_serial("line")
        guest = self.boot(hardware, initramfs.SERIAL)
        node = usb_view.wait_serial(guest)
        guest.check(f"stty -F {node} raw -echo")
        return hardware, guest, node


class SerialOnEhci(Serial, controller=EHCI):
    """At high speed."""


class SerialOnUhci(Serial, controller=UHCI):
    """At full speed."""

# SPDX-License-Identifier: Apache-2.0
"""A computer with USB devices and a network: what peripherals come from, and what ours go to.

It is a guest of its own, so it runs anything that a workstation runs: Debian's usbipd, usbredirect, an agent. Its
"physical" devices are QEMU's. QEMU's user networking connects it: this computer reaches its ports (`port`), and it
reaches this computer's as 10.0.2.2.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import initramfs
from lab.boot import Boot, linux
from lab.guest import Guest

HOST = "10.0.2.2"  # this computer, as the workstation sees it
USBIP_PORT = 3240
USBREDIR_PORT = 4000

# usbip(8) keeps in /var/run what it has attached.
_SETUP = f"""
    mkdir -p /var/run
    ip link set lo up
    ip link set eth0 up
    ip addr add 10.0.2.15/24 dev eth0
    ip route add default via {HOST}"""


def free_port() -> int:
    """A TCP port of this computer that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def disk(identifier: str, image: Path, bus: str = "ehci.0") -> list[str]:
    """A USB disk; `bus` is ehci.0 (high speed) or xhci.0 (SuperSpeed)."""
    return ["-drive", f"if=none,id={identifier},format=raw,cache=writeback,file={image}",
            "-device", f"usb-storage,id={identifier},drive={identifier},bus={bus},serial={identifier}"]


def uas_disk(identifier: str, image: Path, bus: str = "xhci.0") -> list[str]:
    """A disk that speaks USB Attached SCSI, with streams where the bus has them."""
    return ["-drive", f"if=none,id={identifier},format=raw,cache=writeback,file={image}",
            "-device", f"usb-uas,id={identifier}-uas,bus={bus}",
            "-device", f"scsi-hd,drive={identifier},bus={identifier}-uas.0"]


def keyboard(identifier: str = "kbd", bus: str = "ehci.0") -> list[str]:
    """A USB keyboard; `Workstation.press` types on it."""
    return ["-device", f"usb-kbd,id={identifier},bus={bus}"]


def pointers(bus: str = "ehci.0") -> list[str]:
    """A USB tablet and a USB mouse; `Workstation.point` and `Workstation.move` move them."""
    return ["-device", f"usb-tablet,id=tablet,bus={bus}", "-device", f"usb-mouse,id=mouse,bus={bus}"]


class Workstation:
    """One workstation. A context manager; `guest` runs what is wanted in it."""

    def __init__(self, devices: Sequence[str] = (), contents: initramfs.Contents = initramfs.WORKSTATION,
                 forwards: Sequence[int] = (USBIP_PORT,), name: str = "workstation", memory: int = 512,
                 boot: Boot | None = None) -> None:
        """`devices` are QEMU arguments, as the functions above give; `forwards` the workstation's TCP ports that this
        computer is to reach; `boot` takes the place of Linux with `contents`."""
        self._forwards = {port: free_port() for port in forwards}
        rules = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for theirs, ours in self._forwards.items())
        arguments = ["-machine", "i8042=off", "-netdev", f"user,id=net{rules}",
                     "-device", "virtio-net-pci,netdev=net,romfile=",
                     "-device", "usb-ehci,id=ehci", "-device", "qemu-xhci,id=xhci", *devices]
        self.guest = Guest(name, boot or linux(contents), arguments, memory)

    def __enter__(self) -> Self:
        self.guest.__enter__()
        try:
            self.guest.check(_SETUP)
        except BaseException as error:
            self.guest.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.guest.__exit__(kind, error, trace)

    def port(self, theirs: int = USBIP_PORT) -> int:
        """Where this computer reaches the workstation's port."""
        return self._forwards[theirs]

    def bus_id(self, interface_class: str, timeout: float = 20.0) -> str:
        """The bus id of the USB device whose first interface has this class: "08" storage, "03" HID."""
        return self.guest.until(f"""
            for d in /sys/bus/usb/devices/[0-9]*-[0-9]*:1.0; do
                if [ "$(cat $d/bInterfaceClass 2>/dev/null)" = {interface_class} ]; then
                    basename $d | cut -d: -f1; exit 0
                fi
            done; ls /sys/bus/usb/devices; exit 1""", timeout)

    def start_usbip_server(self) -> None:
        """Debian's usbipd."""
        self.guest.check("usbipd -D; until netstat -ltn | grep -q :3240; do sleep 0.1; done", 20)

    def export(self, bus_id: str) -> str:
        """Gives a device to usbipd; its bus id."""
        self.guest.check(f"usbip bind -b {bus_id}")
        return bus_id

    def redirect(self, vendor_product: str) -> None:
        """Debian's usbredirect with a device, for one client: "46f4:0001" is QEMU's disk, "0627:0001" its keyboard."""
        self.guest.until(f"grep -qx {vendor_product.partition(':')[0]} /sys/bus/usb/devices/*/idVendor", 20)
        self.guest.check(f"""
            usbredirect --device {vendor_product} --as 0.0.0.0:{USBREDIR_PORT} >/tmp/usbredirect.log 2>&1 &
            until netstat -ltn | grep -q :{USBREDIR_PORT}; do sleep 0.1; done""", 20)

    def press(self, *names: str, down: bool) -> None:
        """Presses or releases keys of its keyboard, by QEMU's names."""
        self.guest.qmp.keys(*names, down=down)

    def point(self, x: int, y: int) -> None:
        """Moves its tablet to an absolute position, 0 to 32767 on both axes."""
        self._move("abs", x, y)

    def move(self, x: int, y: int) -> None:
        """Moves its mouse by so many steps."""
        self._move("rel", x, y)

    def _move(self, kind: str, x: int, y: int) -> None:
        self.guest.qmp.execute("input-send-event", {"events": [
            {"type": kind, "data": {"axis": axis, "value": value}} for axis, value in (("x", x), ("y", y))]})

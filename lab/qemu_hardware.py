# SPDX-License-Identifier: Apache-2.0
"""`UsbHardware` of QEMU itself: qemu-xhci with usb-storage, usb-kbd, usb-tablet, usb-mouse."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lab.guest import Guest
from lab.hardware import UsbHardware
from lab.keyboard import US_KEYS

_DRIVERS = {"keyboard": "usb-kbd", "tablet": "usb-tablet", "mouse": "usb-mouse"}


class QemuHardware(UsbHardware):
    """The peer we compare with. Devices plugged before `connect` go on the command line."""

    def __init__(self, name: str = "vm1") -> None:
        """`name` only labels it."""
        self.name = name
        self._guest: Guest | None = None
        self._cold: list[str] = ["-device", "qemu-xhci,id=xhci,p2=8,p3=8"]
        self._media: set[str] = set()

    def arguments(self) -> list[str]:
        return self._cold

    def connect(self, guest: Guest) -> None:
        self._guest = guest

    def attach_storage(self, identifier: str, image: Path, *, readonly: bool = False,
                       removable: bool = False) -> None:
        node = {"driver": "raw", "node-name": f"{identifier}-medium", "read-only": readonly,
                "file": {"driver": "file", "filename": str(image)}}
        self._media.add(identifier)
        if self._guest is None:
            self._cold += ["-blockdev", json.dumps(node)]
        else:
            self._guest.qmp.execute("blockdev-add", node)
        self._plug({"driver": "usb-storage", "id": identifier, "bus": "xhci.0",
                    "drive": node["node-name"], "removable": removable})

    def attach(self, kind: str, identifier: str) -> None:
        self._plug({"driver": _DRIVERS[kind], "id": identifier, "bus": "xhci.0"})

    def detach(self, identifier: str) -> None:
        self._running.qmp.device_del(identifier)
        if identifier in self._media:
            self._running.qmp.execute("blockdev-del", {"node-name": f"{identifier}-medium"})
            self._media.remove(identifier)

    def eject(self, identifier: str) -> None:
        raise NotImplementedError("usb-storage of QEMU has no medium that blockdev can remove")

    def type_text(self, text: str, identifier: str) -> None:
        for character in text:
            key = US_KEYS[character]
            names = (["shift"] if key.shift else []) + [key.qcode]
            self._running.qmp.keys(*names, down=True)
            self._running.qmp.keys(*reversed(names), down=False)
            time.sleep(0.05)  # the queue of usb-kbd holds 16 events and drops what comes then

    def move_pointer(self, x: int, y: int, identifier: str) -> None:
        self._running.qmp.execute("input-send-event", {"events": [
            {"type": "abs", "data": {"axis": "x", "value": x}},
            {"type": "abs", "data": {"axis": "y", "value": y}}]})

    def click(self, button: str, identifier: str) -> None:
        for down in (True, False):
            self._running.qmp.execute("input-send-event", {"events": [
                {"type": "btn", "data": {"down": down, "button": button}}]})

    def leds(self, identifier: str) -> set[str]:
        raise NotImplementedError("QEMU does not tell what its USB keyboard's LEDs show")

    @property
    def _running(self) -> Guest:
        assert self._guest is not None, "connect() the guest first"
        return self._guest

    def _plug(self, properties: dict[str, Any]) -> None:
        if self._guest is None:
            self._cold += ["-device", json.dumps(properties)]
        else:
            self._guest.qmp.execute("device_add", properties)

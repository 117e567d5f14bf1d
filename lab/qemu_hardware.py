# SPDX-License-Identifier: Apache-2.0
"""`UsbHardware` of QEMU itself: its own controllers with usb-storage, usb-uas, usb-kbd, usb-audio and the like."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lab.controller import EHCI, UHCI, XHCI, Controller
from lab.guest import Guest
from lab.hardware import UsbHardware
from lab.keyboard import US_KEYS

_DRIVERS = {"keyboard": "usb-kbd", "tablet": "usb-tablet", "mouse": "usb-mouse"}
_CONTROLLERS: dict[str, list[dict[str, Any]]] = {
    XHCI.name: [{"driver": "qemu-xhci", "id": "usb", "p2": 8, "p3": 8}],
    UHCI.name: [{"driver": "piix3-usb-uhci", "id": "usb"}],
    # As in an ICH9: three companions with two ports each, in the slot of the EHCI.
    EHCI.name: [{"driver": "ich9-usb-ehci1", "id": "usb", "addr": "1d.7", "multifunction": True},
                *({"driver": f"ich9-usb-uhci{n + 1}", "masterbus": "usb.0", "firstport": 2 * n, "addr": f"1d.{n}",
                   "multifunction": True} for n in range(3))]}


class QemuHardware(UsbHardware):
    """The peer we compare with. Devices plugged before `connect` go on the command line."""

    def __init__(self, name: str = "vm1", controller: Controller = XHCI) -> None:
        """`name` only labels it."""
        self.name = name
        self.controller = controller
        self._guest: Guest | None = None
        self._cold: list[str] = []
        self._media: set[str] = set()
        for function in _CONTROLLERS[controller.name]:
            self._cold += ["-device", json.dumps(function)]

    def arguments(self) -> list[str]:
        return self._cold

    def connect(self, guest: Guest) -> None:
        self._guest = guest

    def attach_storage(self, identifier: str, image: Path, *, readonly: bool = False, removable: bool = False,
                       uas: bool = False, speed: str | None = None) -> None:
        self._only_by_nature(speed, self.controller.speed)
        node = {"driver": "raw", "node-name": f"{identifier}-medium", "read-only": readonly,
                "file": {"driver": "file", "filename": str(image)}}
        self._media.add(identifier)
        if self._guest is None:
            self._cold += ["-blockdev", json.dumps(node)]
        else:
            self._guest.qmp.execute("blockdev-add", node)
        if uas:
            # The device goes into the port only when its unit is there.
            self._plug({"driver": "usb-uas", "id": identifier, "attached": self._guest is None})
            self._plug({"driver": "scsi-hd", "id": f"{identifier}-unit", "bus": f"{identifier}.0",
                        "drive": node["node-name"], "removable": removable})
            if self._guest is not None:
                self._guest.qmp.execute("qom-set", {"path": f"/machine/peripheral/{identifier}",
                                                    "property": "attached", "value": True})
        else:
            self._plug({"driver": "usb-storage", "id": identifier, "drive": node["node-name"],
                        "removable": removable})

    def attach(self, kind: str, identifier: str, *, speed: str | None = None) -> None:
        # Left to itself, QEMU's are full-speed devices behind UHCI and high-speed ones elsewhere.
        slow = {"usb_version": 1} if speed == "full" or (speed is None and self.controller != XHCI) else {}
        self._plug({"driver": _DRIVERS[kind], "id": identifier, **slow})

    def attach_serial(self, identifier: str) -> None:
        self._cold += ["-chardev", f"pty,id={identifier}-pty"]
        self._plug({"driver": "usb-serial", "id": identifier, "chardev": f"{identifier}-pty",
                    "always-plugged": True})

    def terminal(self, identifier: str) -> Path:
        for line in self._running.qmp.execute("query-chardev"):
            if line["label"] == f"{identifier}-pty":
                return Path(line["filename"].removeprefix("pty:"))
        raise KeyError(identifier)

    def attach_sound(self, identifier: str, *, playback: Path | None = None, capture: Path | None = None,
                     speed: str | None = None) -> None:
        if capture is not None:
            raise NotImplementedError("usb-audio of QEMU does not record")
        self._only_by_nature(speed, "full")
        self._cold += ["-audiodev", f"wav,id={identifier}-wav,path={playback},out.frequency=48000"]
        self._plug({"driver": "usb-audio", "id": identifier, "audiodev": f"{identifier}-wav"})

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

    def counters(self, identifier: str) -> dict[str, dict[str, int]]:
        raise NotImplementedError("QEMU counts nothing")

    @property
    def _running(self) -> Guest:
        assert self._guest is not None, "connect() the guest first"
        return self._guest

    @staticmethod
    def _only_by_nature(speed: str | None, natural: str) -> None:
        if speed not in (None, natural):
            raise NotImplementedError(f"this device of QEMU is {natural}-speed here, and no other")

    def _plug(self, properties: dict[str, Any]) -> None:
        properties = {"bus": "usb.0"} | properties
        if self._guest is None:
            self._cold += ["-device", json.dumps(properties)]
        else:
            self._guest.qmp.execute("device_add", properties)

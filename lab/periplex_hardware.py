# SPDX-License-Identifier: Apache-2.0
"""`UsbHardware` that a Periplex worker serves over vfio-user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.controller import XHCI, Controller
from lab.hardware import UsbHardware
from lab.machine import MachineError, PeriplexMachine


class PeriplexHardware(UsbHardware):
    """A controller in `periplex-machine`; every call below goes through the `periplex` client."""

    def __init__(self, name: str = "vm1", controller: Controller = XHCI, arguments: Sequence[str] = ()) -> None:
        """`arguments` go to periplex-machine."""
        self.name = name
        self.controller = controller
        self.machine = PeriplexMachine(name, ["--controller", controller.name, *arguments])

    def __enter__(self) -> Self:
        self.machine.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        status = self.machine.ended()
        said = self.machine.said()
        self.machine.__exit__(kind, error, trace)
        if status is not None:
            raise MachineError(f"periplex-machine ended with status {status}:\n{said}") from error

    def arguments(self) -> list[str]:
        return self.machine.qemu_arguments()

    def attach_storage(self, identifier: str, image: Path, *, readonly: bool = False, removable: bool = False,
                       uas: bool = False, speed: str | None = None) -> None:
        self._attach("storage", id=identifier, image=image, readonly="true" if readonly else None,
                     removable="true" if removable else None, transport="uas" if uas else None, speed=speed)

    def attach(self, kind: str, identifier: str, *, speed: str | None = None) -> None:
        self._attach(kind, id=identifier, speed=speed)

    def attach_serial(self, identifier: str) -> None:
        self._attach("serial", id=identifier)

    def terminal(self, identifier: str) -> Path:
        return Path(self.device(identifier)["terminal"]["path"])

    def attach_sound(self, identifier: str, *, playback: Path | None = None, capture: Path | None = None,
                     speed: str | None = None) -> None:
        self._attach("sound", id=identifier, playback=playback, capture=capture, speed=speed)

    def detach(self, identifier: str) -> None:
        self.machine.cli("detach", identifier)

    def eject(self, identifier: str) -> None:
        self.machine.cli("eject", identifier)

    def type_text(self, text: str, identifier: str) -> None:
        self.machine.cli("type", text, "--to", identifier)

    def move_pointer(self, x: int, y: int, identifier: str) -> None:
        self.machine.cli("pointer", "move", str(x), str(y), "--to", identifier)

    def click(self, button: str, identifier: str) -> None:
        self.machine.cli("pointer", "click", button, "--to", identifier)

    def leds(self, identifier: str) -> set[str]:
        return set(self.device(identifier)["leds"])

    def device(self, identifier: str) -> dict[str, Any]:
        """What `periplex list --json` says about one device."""
        for device in self.machine.json("list")["devices"]:
            if device["id"] == identifier:
                return device
        raise MachineError(f"`periplex list` shows no device {identifier}")

    def counters(self, identifier: str) -> dict[str, dict[str, int]]:
        for device in self.machine.json("stats")["devices"]:
            if device["id"] == identifier:
                return {endpoint.pop("endpoint"): endpoint for endpoint in device["endpoints"]}
        raise MachineError(f"`periplex stats` shows no device {identifier}")

    def session(self, identifier: str) -> dict[str, int]:
        """What the session of a peripheral at a seat has counted."""
        for device in self.machine.json("stats")["devices"]:
            if device["id"] == identifier:
                return device["session"]
        raise MachineError(f"`periplex stats` shows no device {identifier}")

    def _attach(self, kind: str, **settings: object) -> None:
        words = [f"{key}={value}" for key, value in settings.items() if value is not None]
        self.machine.cli("attach", ",".join([kind, *words]))

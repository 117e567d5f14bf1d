# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor protocol on a connected socket.

Specification: QEMU, docs/interop/qmp-spec.rst. One request at a time; events are kept for later.
"""

from __future__ import annotations

import json
import select
import socket
import time
from pathlib import Path
from typing import Any


class QmpError(Exception):
    """QEMU refused a command, did not answer, or is gone."""


class Qmp:
    """The client end of one QMP session."""

    def __init__(self, connection: socket.socket, timeout: float = 20.0) -> None:
        """Takes over `connection`; negotiates within `timeout` seconds."""
        self._connection = connection
        self._pending = b""
        self._timeout = timeout
        self.events: list[dict[str, Any]] = []
        self._receive(time.monotonic() + timeout)  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Runs `command`, returns what QEMU returns."""
        request = {"execute": command} | ({"arguments": arguments} if arguments else {})
        deadline = time.monotonic() + self._timeout
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._receive(deadline)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(f"{command}: {message['error'].get('desc')}")
            elif "return" in message:
                return message["return"]

    def wait_event(self, name: str, timeout: float, **data: Any) -> dict[str, Any]:
        """The next event `name` whose data holds all of `data`; earlier ones are searched first."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            for index in range(seen, len(self.events)):
                event = self.events[index]
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    return self.events.pop(index)
            seen = len(self.events)
            message = self._receive(deadline)
            if "event" in message:
                self.events.append(message)

    def device_add(self, driver: str, identifier: str, **properties: Any) -> None:
        """Plugs a device; `_` in property names becomes `-`."""
        named = {key.replace("_", "-"): value for key, value in properties.items()}
        self.execute("device_add", {"driver": driver, "id": identifier} | named)

    def device_del(self, identifier: str, timeout: float = 10.0) -> None:
        """Unplugs a device and waits until QEMU says that it is gone."""
        self.execute("device_del", {"id": identifier})
        self.wait_event("DEVICE_DELETED", timeout, device=identifier)

    def keys(self, *names: str, down: bool) -> None:
        """Presses or releases keys by QEMU's QKeyCode names."""
        self.execute("input-send-event", {"events": [
            {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}
            for name in names]})

    def system_reset(self) -> None:
        """The reset button."""
        self.execute("system_reset")

    def screendump(self, file: Path) -> None:
        """The screen as a PNG file."""
        self.execute("screendump", {"filename": str(file), "format": "png"})

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._connection], [], [], left)[0]:
                raise QmpError("QEMU's monitor did not answer in time")
            try:
                chunk = self._connection.recv(65536)
            except OSError as error:
                raise QmpError(f"QEMU is gone: {error}") from None
            if not chunk:
                raise QmpError("QEMU closed its monitor: it has ended")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

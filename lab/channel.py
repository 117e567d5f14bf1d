# SPDX-License-Identifier: Apache-2.0
"""Shell commands in a guest, over the byte stream that guest_init.sh answers."""

from __future__ import annotations

import base64
import re
import select
import socket
import time


class ChannelTimeout(Exception):
    """The guest did not answer in time."""


class Restarted(Exception):
    """The guest started anew while a command ran."""


class Channel:
    """The host's end. One command at a time; the answer's length is known before its bytes."""

    def __init__(self, connection: socket.socket) -> None:
        """Takes over `connection`."""
        self._connection = connection
        self._pending = bytearray()
        self._count = 0
        self._ready = False

    def wait_ready(self, timeout: float) -> None:
        """Returns when a (re)started guest says that it listens; drops what came before."""
        deadline = time.monotonic() + timeout
        while not self._ready:
            self._ready = self._line(deadline).endswith(b"ready 0 0")

    def send(self, script: str) -> str:
        """Hands a script to the guest; returns the name under which its answer comes."""
        self._count += 1
        name = f"c{self._count}"
        encoded = base64.b64encode(script.encode()).decode()
        self._connection.sendall(f"{name} {encoded}\n".encode())
        return name

    def run(self, script: str, timeout: float) -> tuple[int, bytes]:
        """Runs a shell script; returns its exit status and all that it printed."""
        deadline = time.monotonic() + timeout
        name = self.send(script)
        while True:
            line = self._line(deadline)
            if line.endswith(b"ready 0 0"):
                raise Restarted("the guest restarted while a command ran")
            if answer := re.fullmatch(rb"(c\d+) (\d+) (\d+)", line):
                output = self._exactly(int(answer[3]), deadline)
                if answer[1].decode() == name:  # else a late answer to what was given up
                    return int(answer[2]), output

    def restart(self, script: str, timeout: float) -> None:
        """Runs a script that restarts the guest; returns when the guest listens again."""
        self.expect_restart()
        self.send(script)
        self.wait_ready(timeout)

    def expect_restart(self) -> None:
        """From now on `wait_ready` waits for a new start of the guest."""
        self._ready = False

    def close(self) -> None:
        """Closes our end."""
        self._connection.close()

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._pending:
            self._fill(deadline)
        line, _, rest = self._pending.partition(b"\n")
        self._pending = bytearray(rest)
        return bytes(line)

    def _exactly(self, size: int, deadline: float) -> bytes:
        while len(self._pending) < size:
            self._fill(deadline)
        data = bytes(self._pending[:size])
        del self._pending[:size]
        return data

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._connection], [], [], left)[0]:
            raise ChannelTimeout("the guest did not answer in time")
        try:
            chunk = self._connection.recv(1 << 20)
        except OSError:
            chunk = b""
        if not chunk:
            raise ChannelTimeout("QEMU has ended")
        self._pending += chunk

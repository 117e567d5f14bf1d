# SPDX-License-Identifier: Apache-2.0
"""What a guest prints on its serial line, kept from the first byte, and searched as it comes in."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path


class ConsoleTimeout(Exception):
    """The text waited for did not come."""


class Console:
    """Reads a serial line in a thread of its own, so that the guest never waits for us."""

    def __init__(self, connection: socket.socket, transcript: Path) -> None:
        """Takes over `connection`; everything also goes to the file `transcript`."""
        self._connection = connection
        self._bytes = bytearray()
        self._more = threading.Condition()
        self._closed = False
        self._file = transcript.open("wb")
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)
        self._thread.start()

    def mark(self) -> int:
        """A position in the text: now. For `wait_for(..., since=mark)`."""
        with self._more:
            return len(self._bytes)

    def text(self, since: int = 0) -> str:
        """What came so far."""
        with self._more:
            return self._bytes[since:].decode(errors="replace")

    def send(self, data: bytes) -> None:
        """Types into the serial line."""
        self._connection.sendall(data)

    def wait_for(self, pattern: str, timeout: float, since: int = 0) -> re.Match[str]:
        """The first match of `pattern` after position `since`."""
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern)
        with self._more:
            while True:
                text = self._bytes[since:].decode(errors="replace")
                if match := expression.search(text):
                    return match
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    why = "the console was closed" if self._closed else f"{timeout:g} s passed"
                    raise ConsoleTimeout(
                        f"{why} without {pattern!r}; the console's last lines:\n{tail(text)}")
                self._more.wait(min(left, 1.0))

    def close(self) -> None:
        """Ends the thread once QEMU has ended."""
        self._thread.join(2.0)
        self._connection.close()

    def _read(self) -> None:
        with self._file:
            while True:
                try:
                    chunk = self._connection.recv(65536)
                except OSError:
                    chunk = b""
                with self._more:
                    self._bytes += chunk
                    self._closed = not chunk
                    self._more.notify_all()
                if not chunk:
                    return
                self._file.write(chunk)
                self._file.flush()


def tail(text: str, lines: int = 25) -> str:
    """The last lines of a transcript."""
    return "\n".join(text.splitlines()[-lines:])

# SPDX-License-Identifier: Apache-2.0
"""The host's end of a serial line: a program that has a pseudo-terminal open."""

from __future__ import annotations

import os
import select
import time
import tty
from pathlib import Path
from types import TracebackType
from typing import Self


class Terminal:
    """A pseudo-terminal without any processing of what passes."""

    def __init__(self, path: Path) -> None:
        """`path`: /dev/pts/N."""
        self._path = path

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        tty.setraw(self._file)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._file)

    def exchange(self, outgoing: bytes, expected: int, timeout: float) -> bytes:
        """Sends `outgoing` and receives `expected` bytes, both at once; what came, perhaps less when time is up."""
        received = bytearray()
        left = memoryview(outgoing)
        deadline = time.monotonic() + timeout
        while (left or len(received) < expected) and time.monotonic() < deadline:
            readable, writable, _ = select.select([self._file], [self._file] if left else [], [], 1.0)
            if readable:
                received += os.read(self._file, 1 << 16)
            if writable:
                left = left[os.write(self._file, left[:1 << 16]):]
        return bytes(received)

# SPDX-License-Identifier: Apache-2.0
"""A server that does not wait to be dialled: what a small device does that knows nothing but its host's address."""

from __future__ import annotations

import select
import socket
import threading
import time
from types import TracebackType
from typing import Self

_PAUSE = 0.2  # seconds between attempts


class DialOut:
    """Dials `host`, again whenever that ends, and carries each connection to `server`. A context manager."""

    def __init__(self, host: tuple[str, int], server: tuple[str, int]) -> None:
        self._host = host
        self._server = server
        self._end = threading.Event()
        self._cut = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def cut(self) -> None:
        """Ends the connection there is; the next is dialled."""
        self._cut.set()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                with socket.create_connection(self._host, 10) as host, socket.create_connection(self._server, 10) as server:
                    self._cut.clear()
                    self._carry(host, server)
            except OSError:
                pass
            time.sleep(_PAUSE)

    def _carry(self, host: socket.socket, server: socket.socket) -> None:
        for each in (host, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self._end.is_set() and not self._cut.is_set():
            for source in select.select([host, server], [], [], 0.05)[0]:
                if not (data := source.recv(1 << 18)):
                    return
                (server if source is host else host).sendall(data)

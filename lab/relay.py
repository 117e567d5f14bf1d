# SPDX-License-Identifier: Apache-2.0
"""A relay that makes a network of a loopback: a fixed delay each way, a cap on the rate, cut and dead connections.

It ends TCP on both sides, so that what is measured through it knows nothing of windows and losses: only of time. UDP goes
through it too where that is wanted, with a delay and losses of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

_CHUNK = 1 << 18
_QUEUE = 64 << 20  # what is on its way in one direction, where the rate is not capped


@dataclass
class Path:
    """What the network between both ends is like; may be changed while connections are open."""

    delay: float = 0.0  # seconds, each way
    rate: float | None = None  # bytes a second, each way, of all connections together
    queue: int = 1 << 20  # bytes that wait for their turn where the rate is capped; then the sender waits
    source: str = ""  # the address of this computer from which the target is dialled: 127.0.0.x; any if empty


@dataclass
class _Direction:
    """What all connections share in one direction."""

    free_at: float = 0.0  # when the link has sent everything so far
    queued: int = 0  # bytes
    room: asyncio.Condition = field(default_factory=asyncio.Condition)


@dataclass
class DatagramPath:
    """What the network is like for UDP; may be changed at any time."""

    delay: float = 0.0  # seconds, each way
    loss: float = 0.0  # share of the datagrams; 1 is a firewall


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP socket of the relay: the one that everybody sends to, or the one that stands for one of them."""

    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)


class Relay:
    """Listens on a port of this computer and relays every connection to `target`. A context manager."""

    def __init__(self, target: tuple[str, int], rtt: float = 0.0, rate: float | None = None, port: int = 0,
                 datagrams: bool = False) -> None:
        """`rtt` in seconds; `rate` in bytes a second; `port` 0 is any that is free; `datagrams`: UDP at the same port."""
        self.path = Path(rtt / 2, rate)
        self.datagrams = DatagramPath(rtt / 2)
        self._carries_datagrams = datagrams
        self._near: asyncio.DatagramTransport | None = None
        self._far: dict[Any, asyncio.Future[asyncio.DatagramTransport]] = {}
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", port))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._directions = (_Direction(), _Direction())
        self._down_until = 0.0  # by the loop's clock
        self._dead = asyncio.Event()  # set: the connections that there were carry nothing any more

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, sock=self._listening, limit=_CHUNK))
        if self._carries_datagrams:
            self._run(self._open_near())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """Ends all connections as a failing network does; how many there were."""
        async def work() -> int:
            count = len(self._writers)
            for writer in list(self._writers):
                writer.transport.abort()
            return count
        return self._run(work())

    async def _open_near(self) -> None:
        self._near, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self._from_near), local_addr=("127.0.0.1", self.port))

    async def _open_far(self, sender: Any) -> asyncio.DatagramTransport:
        """A socket whose far end takes it for `sender`."""
        def answered(data: bytes, _: Any) -> None:
            if self._near is not None:
                self._later(self._near, data, sender)
        far, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(answered), remote_addr=self._target)
        return far

    def _from_near(self, data: bytes, sender: Any) -> None:
        if sender not in self._far:
            self._far[sender] = asyncio.ensure_future(self._open_far(sender))
        self._far[sender].add_done_callback(lambda far: self._later(far.result(), data, None))

    def _later(self, transport: asyncio.DatagramTransport, data: bytes, address: Any) -> None:
        def send() -> None:
            if not transport.is_closing():  # the relay may have ended meanwhile
                transport.sendto(data, address)
        if self._loop.time() >= self._down_until and random.random() >= self.datagrams.loss:
            self._loop.call_later(self.datagrams.delay, send)

    def fail(self, seconds: float) -> None:
        """Ends all connections, and for so long each new one at once. Returns at once."""
        self._down_until = self._loop.time() + seconds
        self.cut()

    def forget(self) -> None:
        """All connections there are stay open and carry nothing any more; new ones work. So each end is left with a
        half-open connection (RFC 9293, section 3.5.1)."""
        async def work() -> None:
            self._dead.set()
            self._dead = asyncio.Event()
        self._run(work())

    async def _end(self) -> None:
        self._server.close()
        for far in self._far.values():
            (await far).close()
        if self._near is not None:
            self._near.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            if self._loop.time() < self._down_until:
                raise ConnectionRefusedError
            source = (self.path.source, 0) if self.path.source else None
            far_in, far_out = await asyncio.open_connection(*self._target, limit=_CHUNK, local_addr=source)
        except OSError:
            near_out.transport.abort()
            return
        for writer in (near_out, far_out):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._writers.add(writer)
        try:
            there, back = self._directions
            await asyncio.gather(self._carry(near_in, far_out, there), self._carry(far_in, near_out, back))
        except (OSError, asyncio.CancelledError):  # the latter: the relay ends
            pass
        finally:
            for writer in (near_out, far_out):
                self._writers.discard(writer)
                writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: _Direction) -> None:
        """One direction. Chunks wait in a queue until they have been on their way for long enough."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        dead = self._dead
        queued = 0  # of what is in `direction`

        async def leave(size: int) -> None:
            nonlocal queued
            async with direction.room:
                queued -= size
                direction.queued -= size
                direction.room.notify_all()

        async def deliver() -> None:
            while True:
                due, chunk = await chunks.get()
                if (wait := due - self._loop.time()) > 0:
                    await asyncio.sleep(wait)
                if dead.is_set():
                    await leave(queued)
                    await asyncio.Event().wait()  # until the relay ends
                if not chunk:
                    with contextlib.suppress(OSError):
                        sink.write_eof()
                    return
                sink.write(chunk)
                await sink.drain()
                await leave(len(chunk))

        delivery = asyncio.ensure_future(deliver())
        try:
            while True:
                chunk = await source.read(_CHUNK if self.path.rate is None else 16384)
                direction.free_at = max(direction.free_at, self._loop.time())
                if self.path.rate is not None:
                    direction.free_at += len(chunk) / self.path.rate
                chunks.put_nowait((direction.free_at + self.path.delay, chunk))
                if not chunk:
                    break
                async with direction.room:
                    queued += len(chunk)
                    direction.queued += len(chunk)
                    while direction.queued > (_QUEUE if self.path.rate is None else self.path.queue):
                        await direction.room.wait()
            await delivery
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)
            await leave(queued)


def main() -> None:
    """`python3 -m lab.relay --to HOST:PORT [--port N] [--rtt MS] [--rate KB/S]`."""
    parser = argparse.ArgumentParser(prog="lab.relay", description=main.__doc__)
    parser.add_argument("--to", required=True, help="HOST:PORT")
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: any free port)")
    parser.add_argument("--rtt", type=float, default=0.0, help="milliseconds there and back")
    parser.add_argument("--rate", type=float, help="kilobytes a second each way")
    arguments = parser.parse_args()
    host, _, port = arguments.to.rpartition(":")
    rate = arguments.rate and arguments.rate * 1000
    with Relay((host, int(port)), arguments.rtt / 1000, rate, arguments.port) as relay:
        print(f"127.0.0.1:{relay.port}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

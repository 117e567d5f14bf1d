# SPDX-License-Identifier: Apache-2.0
"""A seat: a host's manager and gate, a network to it, and a workstation with a paired agent."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import initramfs
from lab.boot import Boot, linux, with_built
from lab.case import GuestCase
from lab.guest import Guest
from lab.machine import program
from lab.periplex_hardware import PeriplexHardware
from lab.relay import Relay
from lab.workstation import HOST, Workstation, free_port

RULES = (b"[[rule]]\naction = 'allow'\nonly-interface-classes = [3]\n"
         b"[[rule]]\naction = 'allow'\nonly-interface-classes = [8]\n")
AGENT = "periplex-seat run --config /run/rules.toml --state /run/seat"


class SeatHost:
    """periplexd with its gate, for the seat "desk" and the machine "vm1", and a relay to the gate. A context manager.

    The machine's worker is somebody else's: `worker_arguments` are what it needs.
    """

    def __init__(self, scratch: Path, rtt: float = 0.01) -> None:
        """`scratch` is a directory for its files; `rtt` is that of the relay, in seconds."""
        self.scratch = scratch
        self.configuration = scratch / "host.toml"
        self.worker_arguments = ["--streams", str(scratch / "streams.sock")]
        port = free_port()
        self.relay = Relay(("127.0.0.1", port), rtt)
        self.configuration.write_text(f"""
state-dir = "state"
runtime-dir = "run"
[gate]
listen = "127.0.0.1:{port}"
[[machine]]
name = "vm1"
streams = "streams.sock"
[[binding]]
seat = "desk"
machine = "vm1"
""")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._manager())
            stack.enter_context(self.relay)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.close()

    @contextmanager
    def _manager(self) -> Iterator[None]:
        log = self.scratch / "periplexd.log"
        with log.open("wb") as said:
            daemon = subprocess.Popen([program("periplexd"), "--config", self.configuration], stdout=subprocess.PIPE,
                                      stderr=said)
        assert daemon.stdout is not None
        try:
            if daemon.stdout.readline() != b"periplexd is ready\n":
                raise RuntimeError(f"periplexd did not start: {log.read_text()}")
            yield
        finally:
            daemon.terminate()
            daemon.wait(30)
            daemon.stdout.close()

    def boot(self, contents: initramfs.Contents = initramfs.SEAT) -> Boot:
        """Linux with the agent in it, for a workstation."""
        return with_built(linux(contents), [program("periplex-seat")], self.scratch)

    def start_agent(self, guest: Guest) -> None:
        """Pairs a workstation, and starts its agent."""
        guest.check("ln -s /usr/bin/udevadm /run/systemd-udevd && /run/systemd-udevd --daemon")
        guest.write_file("/run/rules.toml", RULES)
        token = subprocess.run([program("periplexd"), "--config", self.configuration, "invite", "desk"],
                               capture_output=True, text=True, check=True).stdout.strip()
        guest.check(f"periplex-seat join {token} --gate {HOST}:{self.relay.port} --state /run/seat", 60)
        guest.check(f"{AGENT} >/run/agent.log 2>&1 & echo $! >/run/agent.pid")

    def state(self) -> dict[str, tuple[str, str]]:
        """State and reason of each peripheral, as the gate shows it."""
        seats = json.loads((self.scratch / "run/gate.json").read_text())["state"]["seats"]
        return {one["id"]: (one["state"], one["why"]) for seat in seats for one in seat["peripherals"]}

    @contextmanager
    def cutting(self, pause: float) -> Iterator[None]:
        """Cuts all connections again and again."""
        end = threading.Event()

        def work() -> None:
            while not end.wait(pause):
                self.relay.cut()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()


def peripherals(guest: Guest, interface_class: int, number: int = 1) -> list[str]:
    """What the seat calls its devices of this class, once there are so many."""
    deadline = time.monotonic() + 30
    while True:
        shown = json.loads(guest.check("periplex-seat list --json --config /run/rules.toml"))["peripherals"]
        found = [one["id"] for one in shown if one.get("interface_classes") == [interface_class]]
        if len(found) >= number:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(guest.check("periplex-seat list"))
        time.sleep(0.1)


class SeatCase(GuestCase):
    """One host with one machine, and a workstation that is a seat."""

    def setUp(self) -> None:
        super().setUp()
        self.host = self.enterContext(SeatHost(self.scratch))
        self.machine = self.enterContext(PeriplexHardware("vm1", self.controller, self.host.worker_arguments))

    def workstation(self, *devices: str) -> Workstation:
        """A paired workstation whose agent runs."""
        ws = self.enterContext(Workstation(devices, forwards=(), name="seat", boot=self.host.boot()))
        self.addCleanup(self._keep_evidence, ws.guest)
        self.host.start_agent(ws.guest)
        return ws

    def identifier(self, guest: Guest, interface_class: int) -> str:
        """What the seat calls its device."""
        return peripherals(guest, interface_class)[0]

    def attach(self, identifier: str, peripheral: str, **settings: str) -> None:
        """A machine waits for it."""
        more = "".join(f",{key.replace('_', '-')}={value}" for key, value in settings.items())
        self.machine.machine.cli("attach", f"seat,id={identifier},peripheral=desk/{peripheral}{more}")

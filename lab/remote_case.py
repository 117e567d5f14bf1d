# SPDX-License-Identifier: Apache-2.0
"""The base of tests with peripherals that are somewhere else, in either direction."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from lab import process
from lab.case import GuestCase
from lab.machine import MachineError, program
from lab.periplex_hardware import PeriplexHardware


@contextlib.contextmanager
def serving(protocol: str, scratch: Path, port: int, *specifications: str) -> Iterator[subprocess.Popen[bytes]]:
    """`periplex serve`, ready; what is written to its standard input is typed."""
    words = [word for specification in specifications for word in ("--attach", specification)]
    log = scratch / "serve.log"
    with log.open("wb") as said:
        server = subprocess.Popen([str(program("periplex")), "serve", protocol, "--listen", f"127.0.0.1:{port}", *words],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, process_group=0)
    assert server.stdin is not None and server.stdout is not None
    try:
        while b"ready on" not in (line := server.stdout.readline()):
            if not line:
                raise MachineError(f"periplex serve did not start: {log.read_text()}")
        yield server
    finally:
        process.stop(server)
        server.stdin.close()
        server.stdout.close()


class RemoteCase(GuestCase):
    """A machine that attaches what is somewhere else."""

    def machine(self) -> PeriplexHardware:
        """A running machine without devices."""
        return self.enterContext(PeriplexHardware("vm1", self.controller))

    def attach_remote(self, hardware: PeriplexHardware, identifier: str, kind: str, **settings: object) -> str:
        """Attaches a device and waits until it is plugged in; what the client said on its standard error."""
        words = [kind, f"id={identifier}", *(f"{key}={value}" for key, value in settings.items())]
        command = [str(program("periplex")), "--control", str(hardware.machine.control), "attach", ",".join(words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(hardware.device(identifier)["state"], "plugged")
        return done.stderr

    def wait_gone(self, hardware: PeriplexHardware, identifier: str) -> str:
        """The reason why a device is gone, once it is."""
        deadline = time.monotonic() + 30
        while hardware.device(identifier)["state"] != "gone" and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(hardware.device(identifier)["state"], "gone")
        return hardware.device(identifier)["why"]

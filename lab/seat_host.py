# SPDX-License-Identifier: Apache-2.0
"""Seats without a test around them: a host's manager and gate, and paired workstations with an agent."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import initramfs
from lab.boot import Boot, linux, with_built
from lab.machine import program
from lab.relay import Relay
from lab.workstation import HOST, Workstation, free_port

# A rule for each: keyboards and pointers, disks, sound cards, printers.
RULES = "".join(f"[[rule]]\naction = 'allow'\nonly-interface-classes = [{one}]\n" for one in (3, 8, 1, 7)).encode()


class SeatHost:
    """periplexd with its gate, for some seats and machines. A context manager.

    Workers are somebody else's: `worker_arguments` are what they need.
    """

    def __init__(self, scratch: Path, bindings: Mapping[str, str] | None = None) -> None:
        """`scratch` is a directory for its files; `bindings` are seats and the machines that get all that they have."""
        bindings = bindings or {"desk": "vm1"}
        self.scratch = scratch
        self.port = free_port()
        self.machines = sorted(set(bindings.values()))
        self.configuration = scratch / "host.toml"
        self.configuration.write_text(
            f'state-dir = "state"\nruntime-dir = "run"\n[gate]\nlisten = "127.0.0.1:{self.port}"\n'
            + "".join(f'[[machine]]\nname = "{one}"\nstreams = "{self._streams(one)}"\n' for one in self.machines)
            + "".join(f'[[binding]]\nseat = "{s}"\nmachine = "{m}"\n' for s, m in bindings.items()))

    def _streams(self, machine: str) -> Path:
        return self.scratch / f"{machine}-streams.sock"

    def worker_arguments(self, machine: str = "vm1") -> list[str]:
        """For periplex-machine: where it takes the streams of its peripherals."""
        return ["--streams", str(self._streams(machine))]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            log = stack.enter_context((self.scratch / "periplexd.log").open("ab"))
            self.daemon = subprocess.Popen([program("periplexd"), "--config", self.configuration],
                                           stdout=subprocess.PIPE, stderr=log)
            stack.callback(self._end)
            assert self.daemon.stdout is not None
            if self.daemon.stdout.readline() != b"periplexd is ready\n":
                raise RuntimeError(f"periplexd did not start: {self.said()}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.close()

    def _end(self) -> None:
        assert self.daemon.stdout is not None
        self.daemon.terminate()
        self.daemon.wait(30)
        self.daemon.stdout.close()

    def kill_and_start_again(self) -> None:
        """As after a crash: whoever was started by it is still there, perhaps."""
        self.daemon.kill()
        self._stack.close()
        self.__enter__()

    def said(self) -> str:
        """What periplexd and its gate wrote."""
        return (self.scratch / "periplexd.log").read_text()

    def gate_process(self) -> int:
        """The gate's process id; waits for it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for one in Path("/proc").iterdir():
                try:
                    if one.name.isdigit() and (one / "comm").read_text().strip() == "periplex-gate" and \
                            int((one / "stat").read_text().rsplit(")", 1)[1].split()[1]) == self.daemon.pid:
                        return int(one.name)
                except (OSError, IndexError):
                    continue
            time.sleep(0.05)
        raise AssertionError(self.said())

    def seats(self) -> list[dict[str, Any]]:
        """What the gate shows of all seats."""
        return json.loads((self.scratch / "run/gate.json").read_text())["state"]["seats"]

    def seat_state(self, seat: str = "desk") -> dict[str, Any]:
        """What it shows of one."""
        return next(one for one in self.seats() if one["name"] == seat)

    def offered(self) -> dict[str, tuple[str, str]]:
        """State and reason of each peripheral."""
        return {one["id"]: (one["state"], one["why"]) for seat in self.seats() for one in seat["peripherals"]}

    def invite(self, seat: str) -> str:
        """A token for one pairing."""
        return subprocess.run([program("periplexd"), "--config", self.configuration, "invite", seat],
                              capture_output=True, text=True, check=True).stdout.strip()


class Seat:
    """A workstation with an agent, and the network between it and the host."""

    def __init__(self, name: str, workstation: Workstation, relay: Relay) -> None:
        """`relay` leads to the gate of the seat's host."""
        self.name = name
        self.workstation = workstation
        self.guest = workstation.guest
        self.relay = relay

    @staticmethod
    def boot(scratch: Path, contents: initramfs.Contents = initramfs.SEAT) -> Boot:
        """Linux with the agent in it, for a workstation."""
        return with_built(linux(contents), [program("periplex-seat")], scratch)

    def join(self, host: SeatHost) -> None:
        """Pairs it, and starts its agent."""
        self.guest.check("ln -s /usr/bin/udevadm /run/systemd-udevd && /run/systemd-udevd --daemon")
        self.guest.write_file("/run/rules.toml", RULES)
        self.guest.check(f"periplex-seat join {host.invite(self.name)} --gate {HOST}:{self.relay.port} "
                         "--state /run/seat", 60)
        self.start_agent()

    def start_agent(self) -> None:
        """The agent, with the rules above; what it says goes to /run/agent.log."""
        self.guest.check("periplex-seat run --config /run/rules.toml --state /run/seat >>/run/agent.log 2>&1 & "
                         "echo $! >/run/agent.pid")

    def stop_agent(self, signal: str = "TERM") -> None:
        """Sends it a signal, and waits until it has ended."""
        self.guest.check(f"kill -{signal} $(cat /run/agent.pid); "
                         "while kill -0 $(cat /run/agent.pid) 2>/dev/null; do sleep 0.1; done")

    def identifier(self, name: str) -> str:
        """What the seat calls its device with `name` in its description; waits for it."""
        return self.identifiers(name)[0]

    def identifiers(self, name: str, number: int = 1) -> list[str]:
        """The same of all such devices, once there are so many."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            shown = json.loads(self.guest.check("periplex-seat list --json --config /run/rules.toml"))["peripherals"]
            found = [one["id"] for one in shown
                     if name.lower() in one["description"].lower() and one["kind"] == "usb"]
            if len(found) >= number:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {name} among:\n{self.guest.check('periplex-seat list')}")

    def type(self, text: str, pause: float) -> None:
        """Presses and releases keys of QEMU's keyboard by their names, with a pause after each."""
        for letter in text:
            self.workstation.press(letter, down=True)
            self.workstation.press(letter, down=False)
            time.sleep(pause)

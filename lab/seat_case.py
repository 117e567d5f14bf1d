# SPDX-License-Identifier: Apache-2.0
"""The base of tests with seats: a host with its gate and its machines, and workstations with an agent."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import initramfs
from lab.boot import linux, with_built
from lab.case import GuestCase
from lab.guest import Guest
from lab.machine import program
from lab.periplex_hardware import PeriplexHardware
from lab.relay import Relay
from lab.workstation import HOST, Workstation, free_port

RTT = 0.01
# A rule for each: keyboards and pointers, disks, sound cards, printers.
RULES = "".join(f"[[rule]]\naction = 'allow'\nonly-interface-classes = [{one}]\n" for one in (3, 8, 1, 7)).encode()
DISK, KEYBOARD, TABLET, MOUSE = "HARDDRIVE", "Keyboard", "Tablet", "Mouse"  # in the names of QEMU's devices


class Seat:
    """A workstation with an agent, and the network between it and the host."""

    def __init__(self, name: str, workstation: Workstation, relay: Relay) -> None:
        self.name = name
        self.workstation = workstation
        self.guest = workstation.guest
        self.relay = relay

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
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            shown = json.loads(self.guest.check("periplex-seat list --json --config /run/rules.toml"))["peripherals"]
            for one in shown:
                if name.lower() in one["description"].lower() and one["kind"] == "usb":
                    return one["id"]
            time.sleep(0.1)
        raise AssertionError(f"no {name} among:\n{self.guest.check('periplex-seat list')}")

    def type(self, text: str, pause: float) -> None:
        """Presses and releases keys of QEMU's keyboard by their names, with a pause after each."""
        for letter in text:
            self.workstation.press(letter, down=True)
            self.workstation.press(letter, down=False)
            time.sleep(pause)


class SeatCase(GuestCase):
    """One host with machines; every peripheral of a seat may go to one machine."""

    bindings = {"desk": "vm1"}  # seat -> machine

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        self.host = self.scratch / "host.toml"
        machines = sorted(set(self.bindings.values()))
        self.host.write_text(
            f'state-dir = "state"\nruntime-dir = "run"\n[gate]\nlisten = "127.0.0.1:{self.port}"\n'
            + "".join(f'[[machine]]\nname = "{one}"\nstreams = "{self.streams(one)}"\n' for one in machines)
            + "".join(f'[[binding]]\nseat = "{s}"\nmachine = "{m}"\n' for s, m in self.bindings.items()))
        self.enterContext(self._manager())
        self.machines = {one: self.enterContext(self.worker(one)) for one in machines}
        self.machine = self.machines[machines[0]]

    def streams(self, machine: str) -> Path:
        """Where a worker takes the streams of its peripherals."""
        return self.scratch / f"{machine}-streams.sock"

    def worker(self, machine: str) -> PeriplexHardware:
        """A machine's worker, which is not started yet."""
        return PeriplexHardware(machine, self.controller, ["--streams", str(self.streams(machine))])

    @contextmanager
    def _manager(self) -> Iterator[None]:
        """periplexd with its gate."""
        with (self.scratch / "periplexd.log").open("wb") as log:
            self.daemon = subprocess.Popen([program("periplexd"), "--config", self.host], stdout=subprocess.PIPE,
                                           stderr=log)
        assert self.daemon.stdout is not None
        try:
            self.assertEqual(self.daemon.stdout.readline(), b"periplexd is ready\n", self.said_by_host())
            yield
        finally:
            self.daemon.terminate()
            self.daemon.wait(30)
            self.daemon.stdout.close()

    def said_by_host(self) -> str:
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
        raise AssertionError(self.said_by_host())

    def seat(self, *devices: str, name: str = "desk", contents: initramfs.Contents = initramfs.SEAT) -> Seat:
        """A paired workstation whose agent runs; `devices` are QEMU's, as for `Workstation`."""
        relay = self.enterContext(Relay(("127.0.0.1", self.port), rtt=RTT))
        boot = with_built(linux(contents), [program("periplex-seat")], self.scratch)
        guest_name = f"{self.id().rpartition('.')[2]}-{self.controller.name}-{name}"
        workstation = self.enterContext(Workstation(devices, forwards=(), name=guest_name, boot=boot))
        seat = Seat(name, workstation, relay)
        self.addCleanup(self._keep_evidence, seat.guest)
        self.addCleanup(self._show_evidence, seat)
        seat.guest.check("ln -s /usr/bin/udevadm /run/systemd-udevd && /run/systemd-udevd --daemon")
        seat.guest.write_file("/run/rules.toml", RULES)
        token = subprocess.run([program("periplexd"), "--config", self.host, "invite", name], capture_output=True,
                               text=True, check=True).stdout.strip()
        said = seat.guest.check(f"periplex-seat join {token} --gate {HOST}:{relay.port} --state /run/seat", 60)
        self.assertIn(name, said)
        seat.start_agent()
        return seat

    def _show_evidence(self, seat: Seat) -> None:
        if not self.has_failed() or seat.guest.ended():
            return
        _, said = seat.guest.run("periplex-seat status; tail -n 30 /run/agent.log")
        print(f"\n--- the agent of {seat.name}:\n{said}--- the host:\n{self.said_by_host()}", flush=True)
        for name, hardware in self.machines.items():
            stats = hardware.machine.cli("stats") if hardware.machine.ended() is None else ""
            print(f"--- {name}:\n{hardware.machine.said()}{stats}", flush=True)

    def attach(self, seat: Seat, name: str, identifier: str) -> str:
        """The seat's machine gets its device with `name`, as `identifier`; what the seat calls it."""
        peripheral = seat.identifier(name)
        machine = self.machines[self.bindings[seat.name]]
        machine.machine.cli("attach", f"seat,id={identifier},peripheral={seat.name}/{peripheral}")
        return peripheral

    def wait_state(self, identifier: str, *states: str, timeout: float = 30.0) -> None:
        """Returns when the first machine's peripheral is in one of these states."""
        deadline = time.monotonic() + timeout
        while (now := self.machine.device(identifier)["state"]) not in states:
            if time.monotonic() > deadline:
                self.fail(f"{identifier} is {now}, not {states}\n{self.machine.machine.said()}\n{self.said_by_host()}")
            time.sleep(0.1)

    def offered(self) -> dict[str, tuple[str, str]]:
        """State and reason of each peripheral, as the gate shows it."""
        seats = json.loads((self.scratch / "run/gate.json").read_text())["state"]["seats"]
        return {one["id"]: (one["state"], one["why"]) for seat in seats for one in seat["peripherals"]}

    def meanwhile(self, work: Callable[[threading.Event], None]) -> Callable[[], None]:
        """Runs `work` in a thread; it should return when its event is set. What comes back sets that, and waits for the
        end. Errors of the thread are the test's."""
        end = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                work(end)
            except BaseException as error:  # the border of the thread
                errors.append(error)

        def finish() -> None:
            end.set()
            thread.join()
            if errors:
                raise errors.pop()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(finish)
        return finish

    def cutting(self, seat: Seat, pause: float, times: int = 10) -> Callable[[], None]:
        """Cuts the seat's connections so often, or until what comes back is called. An agent waits longer each time
        before it dials again, up to 5 s: little gets through between many cuts."""
        def work(end: threading.Event) -> None:
            for _ in range(times):
                if end.wait(pause):
                    return
                seat.relay.cut()
        return self.meanwhile(work)

    def assert_never_unplugged(self, guest: Guest, since: int = 0) -> None:
        """The guest's drivers have seen neither an unplug nor a reset nor an error since a position on the console."""
        self.assert_healthy(guest, since)
        said = guest.console.text(since)
        for bad in ("USB disconnect", "I/O error", "reset full-speed", "reset high-speed", "reset SuperSpeed"):
            self.assertNotIn(bad, said)

    @staticmethod
    def kill(process: int) -> None:
        """Ends a process that this test has started as a crash does."""
        os.kill(process, 9)

# SPDX-License-Identifier: Apache-2.0
"""The base of tests with seats: a host with its gate and its machines, and workstations with an agent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from lab import initramfs
from lab.case import GuestCase
from lab.guest import Guest
from lab.periplex_hardware import PeriplexHardware
from lab.relay import Relay
from lab.seat_host import Seat, SeatHost
from lab.workstation import Workstation

RTT = 0.01
DISK, KEYBOARD, TABLET, MOUSE = "HARDDRIVE", "Keyboard", "Tablet", "Mouse"  # in the names of QEMU's devices
ATTACHED_SCSI = "Attached SCSI"  # in that of its UAS disk


class SeatCase(GuestCase):
    """One host with machines; every peripheral of a seat may go to one machine."""

    bindings = {"desk": "vm1"}  # seat -> machine

    def setUp(self) -> None:
        super().setUp()
        self.host = self.enterContext(SeatHost(self.scratch, self.bindings))
        self.machines = {one: self.enterContext(self.worker(one)) for one in self.host.machines}
        self.machine = self.machines[self.host.machines[0]]

    def worker(self, machine: str) -> PeriplexHardware:
        """A machine's worker, which is not started yet."""
        return PeriplexHardware(machine, self.controller, self.host.worker_arguments(machine))

    def seat(self, *devices: str, name: str = "desk", contents: initramfs.Contents = initramfs.SEAT,
             datagram_loss: float | None = None) -> Seat:
        """A paired workstation whose agent runs; `devices` are QEMU's, as for `Workstation`. With `datagram_loss`, a
        share, its network carries UDP as well."""
        relay = self.enterContext(Relay(("127.0.0.1", self.host.port), rtt=RTT, datagrams=datagram_loss is not None))
        relay.datagrams.loss = datagram_loss or 0.0
        guest_name = f"{self.id().rpartition('.')[2]}-{self.controller.name}-{name}"
        workstation = self.enterContext(Workstation(devices, forwards=(), name=guest_name,
                                                    boot=Seat.boot(self.scratch, contents)))
        seat = Seat(name, workstation, relay)
        self.addCleanup(self._keep_evidence, seat.guest)
        self.addCleanup(self._show_evidence, seat)
        seat.join(self.host)
        return seat

    def _show_evidence(self, seat: Seat) -> None:
        if not self.has_failed() or seat.guest.ended():
            return
        _, said = seat.guest.run("periplex-seat status; tail -n 30 /run/agent.log")
        print(f"\n--- the agent of {seat.name}:\n{said}--- the host:\n{self.host.said()}", flush=True)
        for name, hardware in self.machines.items():
            stats = hardware.machine.cli("stats") if hardware.machine.ended() is None else ""
            print(f"--- {name}:\n{hardware.machine.said()}{stats}", flush=True)

    def attach(self, seat: Seat, name: str, identifier: str, **settings: str) -> str:
        """The seat's machine gets its device with `name`, as `identifier`; what the seat calls it."""
        peripheral = seat.identifier(name)
        machine = self.machines[self.bindings[seat.name]]
        more = "".join(f",{key.replace('_', '-')}={value}" for key, value in settings.items())
        machine.machine.cli("attach", f"seat,id={identifier},peripheral={seat.name}/{peripheral}{more}")
        return peripheral

    def wait_state(self, identifier: str, *states: str, timeout: float = 30.0) -> None:
        """Returns when the first machine's peripheral is in one of these states."""
        deadline = time.monotonic() + timeout
        while (now := self.machine.device(identifier)["state"]) not in states:
            if time.monotonic() > deadline:
                self.fail(f"{identifier} is {now}, not {states}\n{self.machine.machine.said()}\n{self.host.said()}")
            time.sleep(0.1)

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
        """Cuts the seat's connections so often, or until what comes back is called; each time `pause` seconds after all
        that machines have is within reach. On a busy computer a session needs long to come back, and an agent waits
        longer each time before it dials again, up to 5 s: cuts that do not wait would be one loss of 20 s."""
        def work(end: threading.Event) -> None:
            cuts, there = 0, None
            while cuts < times and not end.wait(0.05):
                states = [state for state, _ in self.host.offered().values()]
                if "attached" not in states or "held" in states:
                    there = None
                elif there is None:
                    there = time.monotonic()
                elif time.monotonic() - there >= pause:
                    seat.relay.cut()
                    cuts, there = cuts + 1, None
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

# SPDX-License-Identifier: Apache-2.0
"""A gate, an agent and a worker that are killed: what they carried comes back, and one machine's trouble stays its own."""

import random
import threading
from collections.abc import Callable

from lab import evdev, image, usb_view, workstation
from lab.case import count
from lab.disk_traffic import DiskTraffic
from lab.guest import Guest
from lab.image import MIB
from lab.seat_case import DISK, KEYBOARD, Seat, SeatCase

SIZE = 4 * MIB
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PAUSE = 0.35  # see test_seat_network_guest.py


class Killed(SeatCase):
    """Two machines with a seat each: one has a disk in use, the other a keyboard that is typed on."""

    bindings = {"desk": "vm1", "loft": "vm2"}

    def setUp(self) -> None:
        super().setUp()
        self.content = image.filled(self.scratch / "disk.img", SIZE)
        self.text = ""

    def test_a_killed_gate_agent_or_worker_is_no_trouble_of_another_machine(self) -> None:
        desk = self.seat(*workstation.disk("disk", self.content, "xhci.0"))
        loft = self.seat(*workstation.keyboard(), name="loft")
        guest, other = self.boot(self.machine), self.boot(self.machines["vm2"])
        self.attach(loft, KEYBOARD, "kbd")
        peripheral = self.attach(desk, DISK, "disk")
        recorder = evdev.Recorder(other, evdev.find_node(other, "keyboard", 60))
        usb_view.wait_disk(guest, SIZE, 60)
        mark = other.console.mark()
        end = self._typing(loft)
        self._kill_gates(guest)
        self._kill_agents(desk, self._kill_worker(desk, peripheral))
        end()
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(self.text) * 6, 60)), self.text)
        self.assert_never_unplugged(other, mark)
        print(f"{len(self.text)} keys meanwhile", flush=True)

    def _typing(self, seat: Seat) -> Callable[[], None]:
        def work(end: threading.Event) -> None:
            letters = random.Random(3)
            while not end.wait(PAUSE):
                letter = letters.choice(LETTERS)
                seat.type(letter, 0)
                self.text += letter
        return self.meanwhile(work)

    def _kill_gates(self, guest: Guest) -> None:
        """periplexd starts another gate; agents and workers find each other through that, and go on where they were."""
        traffic = DiskTraffic(guest, usb_view.wait_disk(guest, SIZE), SIZE)
        mark = guest.console.mark()
        for _ in range(count(1, 20)):
            traffic.wait(1, 60)
            self.kill(self.host.gate_process())
            traffic.wait(2, 60)
        traffic.stop(self.content)
        self.assert_never_unplugged(guest, mark)

    def _kill_worker(self, desk: Seat, peripheral: str) -> Guest:
        """The seat has its disk again, and another worker of that machine can have it."""
        self.kill(self.machine.machine.pid)
        usb_view.wait_disk(desk.guest, SIZE, 60)
        self.assertEqual(self.host.offered()[peripheral][0], "offered")
        self.machine.machine.__exit__(None, None, None)
        self.machine.machine.__enter__()
        guest = self.boot(self.machine)
        self.attach(desk, DISK, "disk")
        return guest

    def _kill_agents(self, desk: Seat, guest: Guest) -> None:
        """Nobody knows what became of its transfers, so the disk is unplugged; the next agent's is plugged in."""
        for _ in range(count(1, 20)):
            traffic = DiskTraffic(guest, usb_view.wait_disk(guest, SIZE, 60), SIZE)
            traffic.wait(1, 60)
            mark = guest.console.mark()
            desk.stop_agent("KILL")
            desk.start_agent()
            guest.wait_for("USB disconnect", 60, mark)
            traffic.wait_failed(60)
        again = DiskTraffic(guest, usb_view.wait_disk(guest, SIZE, 60), SIZE)
        again.wait(1, 60)
        again.stop(self.content)


class HostKilled(SeatCase):
    """periplexd itself, and its gate."""

    def test_periplexd_and_the_gate_are_killed_while_the_machine_goes_on(self) -> None:
        content = image.filled(self.scratch / "disk.img", SIZE)
        self.machine.attach_storage("disk", content)
        seat = self.seat(*workstation.keyboard())
        guest = self.boot(self.machine)
        disk = usb_view.wait_disk(guest, SIZE)
        self.attach(seat, KEYBOARD, "kbd")
        recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        text = "thequickbrownfox"
        for number, letter in enumerate(text):
            if number == 4:
                self.host.kill_and_start_again()
                self.assertEqual(guest.check(f"sha256sum </dev/{disk}", 60).split()[0], image.sha256(content))
            if number == 10:
                self.kill(self.host.gate_process())
            seat.type(letter, 0.2)
        self.assertEqual(evdev.typed(recorder.wait_quiet(len(text) * 6, 60)), text)
        self.assert_healthy(guest)

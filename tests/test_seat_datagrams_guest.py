# SPDX-License-Identifier: Apache-2.0
"""Keys of a seat that travel in datagrams as well as in TCP."""

import time

from lab import evdev, workstation
from lab.guest import Guest
from lab.seat_case import KEYBOARD, SeatCase
from lab.seat_host import Seat

PAUSE = 0.1  # seconds after each key
STALL = 4.0  # seconds that TCP takes each way: longer than the silence that ends a connection without datagrams
EVENTS = 6  # of one key: pressed and released, each with its scan code and a SYN_REPORT


class SeatDatagrams(SeatCase):
    """A keyboard at a seat, through a relay that treats UDP and TCP differently."""

    def test_keys_arrive_in_datagrams_while_tcp_brings_nothing(self) -> None:
        seat, guest, recorder = self._keyboard()
        self._wait_datagrams("used")
        self.assertIn("datagrams: used", seat.guest.check("periplex-seat status"))
        seat.type("warm", PAUSE)
        recorder.wait_quiet(4 * EVENTS, 30)
        seat.relay.path.delay = STALL
        started = time.monotonic()
        seat.type("datagrams", PAUSE)
        while len(recorder.events()) < len("warmdatagrams") * EVENTS:
            self.assertLess(time.monotonic() - started, STALL, "from now on TCP may bring them")
            time.sleep(0.05)
        seat.relay.path.delay = 0.005
        seat.type("then", PAUSE)
        self.assertEqual(evdev.typed(recorder.wait_quiet(len("warmdatagramsthen") * EVENTS, 60)), "warmdatagramsthen")
        self.assertRegex(seat.guest.check("periplex-seat status"), r"[1-9]\d* sent, [1-9]\d* received")
        self.assert_healthy(guest)

    def test_keys_arrive_where_the_network_lets_no_datagrams_through(self) -> None:
        seat, guest, recorder = self._keyboard(loss=1.0)
        self._wait_datagrams("blocked")
        seat.type("streams", PAUSE)
        self.assertEqual(evdev.typed(recorder.wait_quiet(len("streams") * EVENTS, 60)), "streams")
        seat.guest.until("periplex-seat status | grep -q 'datagrams: blocked: the network lets no datagrams through'", 30)
        seat.relay.datagrams.loss = 0.0
        self._wait_datagrams("used")
        self.assert_healthy(guest)

    def _keyboard(self, loss: float = 0.0) -> tuple[Seat, Guest, evdev.Recorder]:
        seat = self.seat(*workstation.keyboard(), datagram_loss=loss)
        guest = self.boot(self.machine)
        self.attach(seat, KEYBOARD, "kbd")
        return seat, guest, evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))

    def _wait_datagrams(self, wanted: str) -> None:
        """Returns when the gate says so of the seat's datagrams."""
        deadline = time.monotonic() + 30
        while (now := self.host.seat_state()["datagrams"]) != wanted:
            self.assertLess(time.monotonic(), deadline, now)
            time.sleep(0.1)

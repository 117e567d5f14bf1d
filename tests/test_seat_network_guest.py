# SPDX-License-Identifier: Apache-2.0
"""What networks do to a seat: cuts, other addresses, loss, half-open connections, a line that is full."""

import random
import statistics
import threading
import time
from collections.abc import Callable

from lab import evdev, image, initramfs, usb_view, workstation
from lab.case import count
from lab.disk_traffic import DiskTraffic
from lab.guest import Guest
from lab.image import MIB
from lab.seat_case import DISK, KEYBOARD, Seat, SeatCase

SIZE = 4 * MIB
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST, LONGEST = 0.05, 5.0  # seconds that the network is away
HOLD = 20.0  # seconds that a worker waits (docs/attachment-protocol.md)
# An agent keeps 128 reports for a machine that cannot be reached, and QEMU's keyboard 16: a key is two. At this pace a
# key is not lost before 24 s.
PAUSE = 0.35
TC = "/usr/bin/tc"  # by its name busybox's shell would take its own


class Network(SeatCase):
    """A disk and a keyboard of a workstation in the machine, both in use."""

    def setUp(self) -> None:
        super().setUp()
        self.content = image.filled(self.scratch / "disk.img", SIZE)
        self.text = ""

    def start(self, contents: initramfs.Contents = initramfs.SEAT) -> tuple[Seat, Guest, DiskTraffic]:
        """A seat, and a guest that has its disk and its keyboard and uses the disk."""
        seat = self.seat(*workstation.disk("disk", self.content, "xhci.0"), *workstation.keyboard(), contents=contents)
        usb_view.wait_disk(seat.guest, SIZE)
        guest = self.boot(self.machine)
        self.attach(seat, DISK, "disk")
        self.attach(seat, KEYBOARD, "kbd")
        self.recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        traffic = DiskTraffic(guest, usb_view.wait_disk(guest, SIZE, 60), SIZE)
        traffic.wait(1, 60)
        return seat, guest, traffic

    def typing(self, seat: Seat, pause: float = PAUSE) -> Callable[[], None]:
        """Types letters until what comes back is called; `self.text` is what there was to type."""
        def work(end: threading.Event) -> None:
            letters = random.Random(11)
            while not end.wait(pause):
                letter = letters.choice(LETTERS)
                seat.type(letter, 0)
                self.text += letter
        return self.meanwhile(work)

    def check_typed(self) -> None:
        """Each key arrived once, in its order."""
        self.assertEqual(evdev.typed(self.recorder.wait_quiet(len(self.text) * 6, 60)), self.text)


class Moving(Network):
    """The way between seat and host breaks, and is another one afterwards."""

    def test_cuts_and_other_addresses_are_not_noticed(self) -> None:
        seat, guest, traffic = self.start()
        end = self.typing(seat)
        chance = random.Random(5)
        for turn in range(count(3, 100)):
            time.sleep(chance.uniform(0.3, 2.0))
            if turn % 3 == 1:
                self._move(seat, turn)
            # The gate sees the session come from another address each time.
            seat.relay.path.source = f"127.0.1.{turn + 1}"
            seat.relay.fail(chance.uniform(SHORTEST, LONGEST))
            if turn % 3 == 2:
                traffic.wait(1, 60)
        traffic.wait(1, 60)
        end()
        self.check_typed()
        print(f"{traffic.stop(self.content)} rounds, {len(self.text)} keys", flush=True)
        self.assertGreater(self.machine.session("disk")["holds"], 0)
        self.assert_never_unplugged(guest)

    @staticmethod
    def _move(seat: Seat, turn: int) -> None:
        """The workstation gets another address, and with the old one its connections are gone; nobody is told."""
        new = f"10.0.2.{16 + turn % 100}"
        seat.guest.check(f"""
            old=$(ip -o -4 addr show dev eth0 | grep -o '10[.]0[.]2[.][0-9]*/24' | head -n 1)
            ip addr del $old dev eth0
            ip addr add {new}/24 dev eth0""")

    def test_who_is_away_for_too_long_is_unplugged_and_plugged_in_on_return(self) -> None:
        seat, guest, traffic = self.start()
        seat.relay.fail(3600)
        self.wait_state("disk", "held")
        mark = guest.console.mark()
        time.sleep(HOLD / 2)
        self.assertNotIn("disconnect", guest.console.text(mark), "it is held")
        self.wait_state("disk", "connecting", timeout=HOLD)
        self.wait_state("kbd", "connecting", timeout=HOLD)
        usb_view.wait_no_disk(guest)
        traffic.wait_failed(60)
        guest.until("! grep -q QEMU /proc/bus/input/devices", 30)
        seat.relay.fail(0)
        name = usb_view.wait_disk(guest, SIZE, 60)
        self.recorder = evdev.Recorder(guest, evdev.find_node(guest, "keyboard", 60))
        self.text = "back"
        seat.type(self.text, PAUSE)
        self.check_typed()
        again = DiskTraffic(guest, name, SIZE)
        again.wait(2, 60)
        again.stop(self.content)
        self.assert_healthy(guest)

    def test_half_open_connections_are_given_up_on_both_sides(self) -> None:
        seat, guest, traffic = self.start()
        end = self.typing(seat)
        for _ in range(count(2, 20)):
            seat.relay.forget()
            traffic.wait(2, 60)
        end()
        self.check_typed()
        traffic.stop(self.content)
        self.assert_never_unplugged(guest)


class Loss(Network):
    """Packets are lost in both directions, at the workstation's network card."""

    def test_keys_and_a_disk_with_1_and_5_percent_lost(self) -> None:
        seat, guest, traffic = self.start(initramfs.SEAT_NETWORK)
        # What comes in goes through a device of its own, which can lose as well as what goes out.
        seat.guest.check(f"""
            ip link set ifb0 up
            {TC} qdisc add dev eth0 ingress
            {TC} filter add dev eth0 parent ffff: protocol all matchall action mirred egress redirect dev ifb0
            {TC} qdisc add dev eth0 root netem limit 10000; {TC} qdisc add dev ifb0 root netem limit 10000""")
        for percent in (1, 5):
            with self.subTest(percent=percent):
                for device in ("eth0", "ifb0"):
                    seat.guest.check(f"{TC} qdisc change dev {device} root netem limit 10000 loss {percent}%")
                end = self.typing(seat)
                traffic.wait(count(2, 50), 200)
                end()
                self.check_typed()
        lost = seat.guest.check(f"{TC} -s qdisc show | grep -A 1 netem | grep -o 'dropped [0-9]*'").split()[1::2]
        self.assertTrue(all(int(one) > 0 for one in lost), lost)
        print(f"{traffic.stop(self.content, 120)} rounds, {len(self.text)} keys, {lost} packets lost", flush=True)
        self.assert_never_unplugged(guest)


class Saturated(Network):
    """A disk takes the whole line."""

    RATE = 500e3  # bytes a second
    QUEUE = 64 << 10  # bytes that wait in the network: 130 ms

    def test_keys_get_through(self) -> None:
        seat, guest, traffic = self.start()
        seat.relay.path.queue = self.QUEUE
        seat.relay.path.rate = self.RATE
        traffic.wait(1, 60)
        times = []
        for letter in "saturated" * count(1, 10):
            before = len(self.recorder.events())
            started = time.monotonic()
            seat.type(letter, 0)
            while len(self.recorder.events()) == before and time.monotonic() < started + 10:
                pass
            times.append(time.monotonic() - started)
            self.text += letter
            time.sleep(0.2)
        self.check_typed()
        before = traffic.rounds()
        traffic.wait(1, 60)
        self.assertGreater(traffic.rounds(), before, "the disk goes on, too")
        print(f"keys: median {statistics.median(times) * 1000:.0f} ms, most {max(times) * 1000:.0f} ms", flush=True)
        # What waits in the network's own queue, there and not behind what waits at the seat; and a slow guest.
        self.assertLess(statistics.median(times), self.QUEUE / self.RATE + 0.5)
        traffic.stop(self.content, 120)
        self.assert_never_unplugged(guest)

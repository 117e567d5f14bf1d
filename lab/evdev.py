# SPDX-License-Identifier: Apache-2.0
"""What a guest's input devices report: records `struct input_event` and reads text out of it.

Source: Linux, Documentation/input/input.rst and event-codes.rst.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass

from lab.guest import Guest, GuestError
from lab.keyboard import CHARACTERS, KEY_LEFTSHIFT, KEY_RIGHTSHIFT

EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_MSC, EV_LED = 0, 1, 2, 3, 4, 17
SYN_DROPPED = 3
ABS_X, ABS_Y = 0, 1
REL_X, REL_Y = 0, 1
LEDS = {0: "num_lock", 1: "caps_lock", 2: "scroll_lock"}
_EVENT = struct.Struct("<qqHHi")  # seconds, microseconds, type, code, value on 64-bit machines


@dataclass(frozen=True)
class Event:
    """One event, without its time."""

    type: int
    code: int
    value: int


def parse(data: bytes) -> list[Event]:
    """Events from what /dev/input/event* gave."""
    whole = len(data) - len(data) % _EVENT.size
    return [Event(*fields[2:]) for fields in _EVENT.iter_unpack(data[:whole])]


def typed(events: list[Event]) -> str:
    """The text that a US keyboard's events spell; fails on lost events and on keys left down."""
    down: set[int] = set()
    text = []
    for event in events:
        if event.type == EV_SYN and event.code == SYN_DROPPED:
            raise ValueError("the guest's kernel dropped events")
        if event.type != EV_KEY or event.value == 2:  # 2: the kernel's own auto-repeat
            continue
        if event.value == 0:
            if event.code not in down:
                raise ValueError(f"key {event.code} was released but never pressed")
            down.remove(event.code)
            continue
        if event.code in down:
            raise ValueError(f"key {event.code} was pressed twice")
        down.add(event.code)
        if event.code not in (KEY_LEFTSHIFT, KEY_RIGHTSHIFT):
            shift = bool(down & {KEY_LEFTSHIFT, KEY_RIGHTSHIFT})
            text.append(CHARACTERS.get((event.code, shift), f"<{event.code}>"))
    if down:
        raise ValueError(f"keys {sorted(down)} are still down")
    return "".join(text)


def position(events: list[Event]) -> tuple[int | None, int | None]:
    """Where a tablet's events leave the pointer; None for an axis that never moved."""
    place: dict[int, int] = {e.code: e.value for e in events if e.type == EV_ABS}
    return place.get(ABS_X), place.get(ABS_Y)


def moved(events: list[Event]) -> tuple[int, int]:
    """How far a mouse's events move the pointer, in steps."""
    of = {axis: sum(e.value for e in events if e.type == EV_REL and e.code == axis) for axis in (REL_X, REL_Y)}
    return of[REL_X], of[REL_Y]


def find_node(guest: Guest, kind: str, timeout: float = 20.0) -> str:
    """/dev/input/eventN of the guest's USB `keyboard`, `tablet` or `mouse`; waits for it."""
    # Bit maps in sysfs: a keyboard has LEDs, a tablet absolute axes, a mouse relative ones only.
    has = {"keyboard": '[ "$(cat $d/led)" != 0 ]', "tablet": '[ "$(cat $d/abs)" != 0 ]',
           "mouse": '[ "$(cat $d/rel)" != 0 ] && [ "$(cat $d/abs)" = 0 ]'}[kind]
    return guest.until(f"""
        for e in /sys/class/input/event*; do
            case $(readlink -f $e) in */usb*) ;; *) continue ;; esac
            d=$e/device/capabilities
            if {has} && [ -c /dev/input/${{e##*/}} ]; then echo /dev/input/${{e##*/}}; exit 0; fi
        done
        echo "no {kind} among:"; grep ^N: /proc/bus/input/devices; exit 1""", timeout)


class Recorder:
    """Records one input device of the guest from construction on."""

    def __init__(self, guest: Guest, node: str) -> None:
        """`node`: /dev/input/eventN in the guest."""
        self._guest = guest
        self._file = f"/tmp/events-{node.rsplit('/', 1)[-1]}"
        guest.check(f"""
            cat {node} >{self._file} & pid=$!
            i=0; until ls -l /proc/$pid/fd 2>/dev/null | grep -q {node}; do
                i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.02
            done""")

    def events(self) -> list[Event]:
        """Everything so far."""
        return parse(self._guest.read_file(self._file))

    def wait_quiet(self, expected: int, timeout: float = 30.0) -> list[Event]:
        """Everything, once at least `expected` key presses or frames came and nothing follows."""
        try:
            self._guest.until(f"[ $(($(stat -c %s {self._file}) / {_EVENT.size})) -ge {expected} ]",
                              timeout)
        except GuestError:
            pass  # the caller's comparison says best what is missing
        self._guest.check(f"""
            old=-1; new=$(stat -c %s {self._file})
            while [ $old != $new ]; do old=$new; sleep 0.5; new=$(stat -c %s {self._file}); done""",
                          timeout)
        return self.events()

    def wait_moved(self, x: int, y: int, timeout: float = 10.0) -> list[Event]:
        """Everything, once the pointer is at (x, y) or time is up."""
        deadline = time.monotonic() + timeout
        while position(events := self.events()) != (x, y) and time.monotonic() < deadline:
            time.sleep(0.05)
        return events

    def wait_steps(self, x: int, y: int, timeout: float = 30.0) -> list[Event]:
        """Everything, once the pointer has been moved by (x, y) in all, or time is up."""
        deadline = time.monotonic() + timeout
        while moved(events := self.events()) != (x, y) and time.monotonic() < deadline:
            time.sleep(0.05)
        return events

# SPDX-License-Identifier: Apache-2.0
"""How often the worker of an idle machine wakes up: with each controller, running and stopped.

UHCI and EHCI have no doorbell: while the guest lets their schedules run, somebody must look at these now and then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from lab import boot, evdev, usb_view
from lab.controller import CONTROLLERS
from lab.guest import Guest
from lab.periplex_hardware import PeriplexHardware

SETTLE = 3.0  # seconds: Linux lets an empty root hub sleep after two
SPAN = 10.0


@dataclass
class Idle:
    """Wake-ups per second of one controller's worker."""

    controller: str
    empty: float  # its driver runs, nothing is plugged in
    keyboard: float  # a keyboard is polled, and nobody types
    stopped: float  # no driver


def _wakeups_per_second(hardware: PeriplexHardware) -> float:
    """From the worker's own count; asking for it costs a few of them, which are taken off."""
    time.sleep(SETTLE)
    first, before = _wakeups(hardware), _wakeups(hardware)
    time.sleep(SPAN)
    return max(0, _wakeups(hardware) - before - (before - first)) / SPAN


def _wakeups(hardware: PeriplexHardware) -> int:
    return hardware.machine.json("stats")["loop"]["wakeups"]


def measure() -> Iterator[Idle]:
    """Yields the figures of each controller."""
    for controller in CONTROLLERS.values():
        with ExitStack() as stack:
            hardware = stack.enter_context(PeriplexHardware("idle", controller))
            guest = stack.enter_context(Guest(f"idle-{controller.name}", boot.linux(), hardware.arguments()))
            empty = _wakeups_per_second(hardware)
            hardware.attach("keyboard", "kbd")
            evdev.find_node(guest, "keyboard")
            keyboard = _wakeups_per_second(hardware)
            for function in usb_view.functions(guest):
                guest.check(f"echo {function.address} >/sys/bus/pci/drivers/{function.driver}/unbind")
            yield Idle(controller.name, empty, keyboard, _wakeups_per_second(hardware))


def table(figures: list[Idle]) -> str:
    """The figures as a Markdown table."""
    lines = ["| wake-ups per second | nothing plugged in | an idle keyboard | no driver |", "|---|---|---|---|"]
    lines += [f"| {figure.controller} | {figure.empty:.1f} | {figure.keyboard:.1f} | {figure.stopped:.1f} |"
              for figure in figures]
    return "\n".join(lines)

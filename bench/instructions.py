# SPDX-License-Identifier: Apache-2.0
"""Instructions that a controller itself executes for each byte, counted by valgrind's callgrind.

Only what happens inside the controller counts: its walks through the schedule or ring, and what it does with an answer.
The driver, the device and the event loop stand outside. Two runs of different length are subtracted, so that what
happens once (bringing the controller up) is not in the figures. Counts repeat to the last digits on any machine; an
instruction took 0.3 to 0.6 cycles where we looked.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.machine import program

ENTRIES = {"uhci": ("periplex::usb::uhci::Schedule::begin_frame(*", "periplex::usb::uhci::Schedule::repeat_frame(*"),
           "ehci": ("periplex::usb::ehci::AsyncSchedule::walk(*",),
           "xhci": ("periplex::usb::xhci::Endpoint::ring_doorbell(*",)}
ANSWER = "periplex::usb::InFlight::on_complete(*"
DEADLINE = 300.0  # seconds for one run
SIZES = (4096, 65536, 122880)
SHORT, LONG = 20, 60  # data sets of the two runs
PACKETS = {"uhci": 64, "ehci": 20480, "xhci": 65536}  # bytes that one descriptor of the driver holds


@dataclass
class Cost:
    """One controller, direction and size of data sets."""

    controller: str
    direction: str
    data_set: int
    per_data_set: float

    @property
    def packets(self) -> int:
        return -(-self.data_set // PACKETS[self.controller])


def _instructions(controller: str, direction: str, data_set: int, count: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        output, bench = Path(directory) / "callgrind.out", Path(directory) / "periplex_bench"
        # Debian 12's valgrind cannot read clang 19's debug information; names are enough.
        subprocess.run(["strip", "--strip-debug", "-o", bench, program("periplex_bench")], check=True)
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}",
             *(f"--toggle-collect={name}" for name in (*ENTRIES[controller], ANSWER)),
             bench, "move", controller, direction, str(data_set), str(count)],
            capture_output=True, text=True, check=False, timeout=DEADLINE)
        if done.returncode != 0:
            raise RuntimeError(f"valgrind failed:\n{done.stderr}")
        totals = re.findall(r"^(?:totals|summary): (\d+)", output.read_text(encoding="utf-8"), re.M)
        return int(totals[-1])


def measure() -> Iterator[Cost]:
    """Yields each figure as soon as it is known."""
    for controller in ENTRIES:
        for direction in ("in", "out"):
            for size in SIZES:
                first, second = (_instructions(controller, direction, size, count) for count in (SHORT, LONG))
                yield Cost(controller, direction, size, (second - first) / (LONG - SHORT))


def table(costs: list[Cost]) -> str:
    """The figures as a Markdown table."""
    lines = ["| one data set | guest packets | instructions | per packet | per byte |", "|---|---|---|---|---|"]
    lines += [f"| {cost.controller} {cost.direction}, {cost.data_set // 1024} KiB | {cost.packets} | "
              f"{cost.per_data_set:.0f} | {cost.per_data_set / cost.packets:.0f} | "
              f"{cost.per_data_set / cost.data_set:.3f} |" for cost in costs]
    return "\n".join(lines)

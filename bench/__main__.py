# SPDX-License-Identifier: Apache-2.0
"""`python3 -m bench [--no-write] [PART…]`: benchmarks; the figures go to the terminal and to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable

from bench import guest_idle, guest_storage, instructions, remote, report
from lab.machine import program
from lab.qemu import find_qemu


def native() -> dict[str, str]:
    """The software guest at native speed."""
    print("bench: a software guest at native speed", file=sys.stderr)
    printed = subprocess.run([program("periplex_bench")], check=True, capture_output=True, text=True).stdout
    figures = json.loads(printed)
    sections = {"At native speed, and at rest": report.native_tables(figures),
                "Batching in front of a slow device": report.batching_tables(figures)}
    print("\n\n".join(sections.values()))
    return sections


def in_guest(repetitions: int) -> dict[str, str]:
    """A Debian guest with a disk from Periplex and one from QEMU, for each kind of controller."""
    tables = []
    for pair in guest_storage.PAIRS:
        if pair.low_latency and not os.access("/dev/cpu_dma_latency", os.W_OK):
            continue
        print(f"bench: a Debian guest, Periplex beside {pair.peer}", file=sys.stderr)
        figures = []
        for figure in guest_storage.measure(pair, repetitions):
            figures.append(figure)
            print(f"  {figure.operation} {figure.block_size}: {figure.ratio:.2f} of QEMU's model", file=sys.stderr)
        tables.append(guest_storage.table(figures))
        print(tables[-1])
    return {"In a guest": "\n\n".join(tables)}


def at_a_seat(repetitions: int) -> dict[str, str]:
    """A high-speed disk at a seat, beside the same over USB/IP and usbredir."""
    print("bench: a disk at a seat, Periplex beside usbip and usbredir", file=sys.stderr)
    figures = []
    for figure in remote.measure(repetitions):
        figures.append(figure)
        rates = ", ".join(f"{way} {figure.median(way):.2f}" for way in figure.rates)
        print(f"  {figure.operation} {figure.block_size} at {figure.rtt * 1e3:g} ms: {rates} MB/s", file=sys.stderr)
    table = remote.table(figures)
    print(table)
    return {"A disk at a seat": table}


def cost_of_controllers() -> dict[str, str]:
    """Instructions that each controller needs for its data sets, counted by callgrind."""
    print("bench: instructions of each controller", file=sys.stderr)
    table = instructions.table(list(instructions.measure()))
    print(table)
    return {"Instructions of the controller alone": table}


def idle() -> dict[str, str]:
    """A Debian guest that does nothing."""
    print("bench: an idle Debian guest on each controller", file=sys.stderr)
    table = guest_idle.table(list(guest_idle.measure()))
    print(table)
    return {"An idle guest": table}


PARTS: dict[str, Callable[[int], dict[str, str]]] = {
    "guest": in_guest,
    "remote": at_a_seat,
    "idle": lambda _: idle(),
    "native": lambda _: native(),
    "instructions": lambda _: cost_of_controllers(),
}


def main() -> int:
    """Runs what was asked for; an exit status."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md alone")
    parser.add_argument("--repetitions", type=int, default=7, help="runs of each guest figure (default: 7)")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    version = subprocess.run([find_qemu().program, "--version"], capture_output=True, text=True, check=True).stdout
    conditions = f"{report.machine()}, {version.splitlines()[0]}"
    sections: dict[str, str] = {}
    for part in arguments.parts or PARTS:
        sections |= PARTS[part](arguments.repetitions)
    if not arguments.no_write:
        report.write(sections, conditions)
    return 0


if __name__ == "__main__":
    sys.exit(main())

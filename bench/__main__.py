# SPDX-License-Identifier: Apache-2.0
"""`python3 -m bench [--no-write]`: every benchmark; the figures go to the terminal and to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from bench import guest_idle, guest_storage, instructions, report
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


def in_guest(repetitions: int) -> str:
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
    return "\n\n".join(tables)


def cost_of_controllers() -> str:
    """Instructions that each controller needs for its data sets, counted by callgrind."""
    print("bench: instructions of each controller", file=sys.stderr)
    table = instructions.table(list(instructions.measure()))
    print(table)
    return table


def idle() -> str:
    """A Debian guest that does nothing."""
    print("bench: an idle Debian guest on each controller", file=sys.stderr)
    table = guest_idle.table(list(guest_idle.measure()))
    print(table)
    return table


def main() -> int:
    """Runs what was asked for; an exit status."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md alone")
    parser.add_argument("--repetitions", type=int, default=7, help="runs of each guest figure (default: 7)")
    arguments = parser.parse_args()
    version = subprocess.run([find_qemu().program, "--version"], capture_output=True, text=True, check=True).stdout
    conditions = f"{report.machine()}, {version.splitlines()[0]}"
    sections = {"In a guest": in_guest(arguments.repetitions), "An idle guest": idle(), **native(),
                "Instructions of the controller alone": cost_of_controllers()}
    if not arguments.no_write:
        report.write(sections, conditions)
    return 0


if __name__ == "__main__":
    sys.exit(main())

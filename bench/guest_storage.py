# SPDX-License-Identifier: Apache-2.0
"""One guest, two disks of the same kind: one from Periplex, one from QEMU's own models.

Both disks are SuperSpeed bulk-only ones on images of the same size in memory, driven by the same kernel in the same
boot. Runs alternate between the two, so that whatever else the machine does meets both; each figure is the median.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab import boot, usb_view
from lab.guest import Guest
from lab.periplex_hardware import PeriplexHardware
from lab.qemu_hardware import QemuHardware

MIB = 1 << 20
BLOCK_SIZES = {4096: 1000, 65536: 600, MIB: 200}  # bytes per request: requests per run
AIMS = {4096: 0.4, 65536: 0.7, MIB: 1.0}
PERIPLEX_SIZE = 256 * MIB
QEMU_SIZE = 257 * MIB  # the sizes differ a little, so that the guest's names can be told apart


@dataclass
class Figure:
    """The medians of one block size and direction, in seconds per request."""

    operation: str
    block_size: int
    periplex: float
    qemu: float

    @property
    def ratio(self) -> float:
        """How fast Periplex is, QEMU's own model being 1."""
        return self.qemu / self.periplex

    @property
    def aim(self) -> float:
        return AIMS[self.block_size]

    def megabytes(self, seconds: float) -> float:
        """MB/s at `seconds` per request."""
        return self.block_size / seconds / 1e6


def _image(directory: Path, name: str, size: int) -> Path:
    path = directory / name
    with path.open("wb") as image:
        for _ in range(size // MIB):
            image.write(os.urandom(MIB))
    return path


def _seconds(guest: Guest, disk: str, operation: str, block_size: int, requests: int) -> float:
    """Time in the guest for `requests` direct-I/O requests in sequence, per request."""
    copy = (f"dd if=/dev/{disk} of=/dev/null iflag=direct" if operation == "read"
            else f"dd if=/dev/zero of=/dev/{disk} oflag=direct")
    times = guest.check(f"read a b </proc/uptime; {copy} bs={block_size} count={requests} 2>/dev/null; "
                        "read c d </proc/uptime; echo $a $c", 300)
    start, end = map(float, times.split())
    return (end - start) / requests


def measure(repetitions: int = 7) -> Iterator[Figure]:
    """Yields each figure as soon as it is known."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="periplex-bench-", dir=place)))
        ours = stack.enter_context(PeriplexHardware("bench"))
        peer = stack.enter_context(QemuHardware("bench"))
        ours.attach_storage("disk", _image(scratch, "periplex.img", PERIPLEX_SIZE))
        peer.attach_storage("disk", _image(scratch, "qemu.img", QEMU_SIZE))
        guest = stack.enter_context(Guest("bench", boot.linux(), [*ours.arguments(), *peer.arguments()]))
        disks = {"periplex": usb_view.wait_disk(guest, PERIPLEX_SIZE), "qemu": usb_view.wait_disk(guest, QEMU_SIZE)}
        for block_size, requests in BLOCK_SIZES.items():
            for operation in ("read", "write"):
                runs: dict[str, list[float]] = {name: [] for name in disks}
                for _ in range(repetitions):
                    for name, disk in disks.items():
                        runs[name].append(_seconds(guest, disk, operation, block_size, requests))
                yield Figure(operation, block_size, statistics.median(runs["periplex"]),
                             statistics.median(runs["qemu"]))


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| direct I/O | Periplex | QEMU's usb-storage | ratio | aim |", "|---|---|---|---|---|"]
    for figure in figures:
        size = f"{figure.block_size // 1024} KiB" if figure.block_size < MIB else "1 MiB"
        lines.append(f"| {figure.operation} {size} | {figure.megabytes(figure.periplex):.1f} MB/s, "
                     f"{figure.periplex * 1e6:.0f} µs | {figure.megabytes(figure.qemu):.1f} MB/s, "
                     f"{figure.qemu * 1e6:.0f} µs | {figure.ratio:.2f} | ≥ {figure.aim:.1f} |")
    return "\n".join(lines)

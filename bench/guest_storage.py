# SPDX-License-Identifier: Apache-2.0
"""One guest, two controllers of the same kind with a disk of the same kind: one of Periplex, one of QEMU's own models.

Both disks are on images of nearly the same size in memory, driven by the same kernel in the same boot. Runs alternate
between the two, so that whatever else the machine does meets both; each figure is the median.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab import boot, usb_view
from lab.controller import EHCI, UHCI, XHCI, Controller
from lab.guest import Guest
from lab.image import MIB, filled
from lab.periplex_hardware import PeriplexHardware
from lab.qemu_hardware import QemuHardware

PERIPLEX_SIZE = 64 * MIB
QEMU_SIZE = 65 * MIB  # the sizes differ a little, so that the guest's names can be told apart
KIB4, KIB64 = 4096, 65536


@dataclass(frozen=True)
class Pair:
    """What is compared."""

    title: str
    peer: str
    controller: Controller
    uas: bool
    requests: Mapping[int, int]  # bytes per request: requests per run
    aims: Mapping[int, float]  # the least ratio
    peer_share: float = 1.0  # how many of the requests the peer makes: a slow one need not make all
    low_latency: bool = False  # for ours: its request ends 20 ms after its work, before the peer's turn


PAIRS = (
    Pair("UHCI, full-speed disk", "piix3-usb-uhci", UHCI, False, {KIB4: 2000, KIB64: 400, MIB: 30}, {KIB64: 10.0},
         peer_share=0.1),
    Pair("EHCI, high-speed disk", "usb-ehci", EHCI, False, {KIB4: 600, KIB64: 400, MIB: 60}, {KIB64: 1.0, MIB: 1.0}),
    Pair("xHCI, SuperSpeed disk, bulk-only", "qemu-xhci with usb-storage", XHCI, False,
         {KIB4: 1000, KIB64: 600, MIB: 200}, {KIB4: 0.4, KIB64: 0.7, MIB: 1.0}),
    Pair("xHCI, SuperSpeed disk, UAS", "qemu-xhci with usb-uas", XHCI, True,
         {KIB4: 1000, KIB64: 600, MIB: 200}, {KIB64: 1.0, MIB: 1.0}),
    Pair("xHCI, SuperSpeed disk, UAS, `--low-latency`", "qemu-xhci with usb-uas", XHCI, True,
         {KIB4: 1000, KIB64: 600, MIB: 200}, {KIB64: 1.0, MIB: 1.0}, low_latency=True),
)


@dataclass
class Figure:
    """The medians of one block size and direction, in seconds per request."""

    pair: Pair
    operation: str
    block_size: int
    periplex: float
    qemu: float

    @property
    def ratio(self) -> float:
        """How fast Periplex is, QEMU's own model being 1."""
        return self.qemu / self.periplex

    @property
    def aim(self) -> float | None:
        return self.pair.aims.get(self.block_size)

    def megabytes(self, seconds: float) -> float:
        """MB/s at `seconds` per request."""
        return self.block_size / seconds / 1e6


def _seconds(guest: Guest, disk: str, operation: str, block_size: int, requests: int) -> float:
    """Time in the guest for `requests` direct-I/O requests in sequence, per request; the disk's end leads to its start."""
    fit = PERIPLEX_SIZE // block_size
    whole, rest = divmod(requests, fit)
    ends = (f"if=/dev/{disk} of=/dev/null iflag=direct" if operation == "read"
            else f"if=/dev/zero of=/dev/{disk} oflag=direct")
    copies = "; ".join(f"dd {ends} bs={block_size} count={count} 2>/dev/null" for count in [fit] * whole + [rest] if count)
    times = guest.check(f"read a b </proc/uptime; {copies}; read c d </proc/uptime; echo $a $c", 300)
    start, end = map(float, times.split())
    return (end - start) / requests


def measure(pair: Pair, repetitions: int = 7) -> Iterator[Figure]:
    """Yields each figure as soon as it is known."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="periplex-bench-", dir=place)))
        ours = stack.enter_context(PeriplexHardware(
            "bench", pair.controller, ["--low-latency"] if pair.low_latency else []))
        peer = stack.enter_context(QemuHardware("bench", pair.controller))
        ours.attach_storage("disk", filled(scratch / "periplex.img", PERIPLEX_SIZE), uas=pair.uas)
        guest = stack.enter_context(Guest(f"bench-{pair.controller.name}", boot.linux(),
                                          [*ours.arguments(), *peer.arguments()]))
        peer.connect(guest)
        peer.attach_storage("disk", filled(scratch / "qemu.img", QEMU_SIZE), uas=pair.uas)  # cold it trips QEMU's usb-uas
        disks = {"periplex": usb_view.wait_disk(guest, PERIPLEX_SIZE), "qemu": usb_view.wait_disk(guest, QEMU_SIZE)}
        for block_size, requests in pair.requests.items():
            shares = {"periplex": requests, "qemu": max(1, round(requests * pair.peer_share))}
            for operation in ("read", "write"):
                runs: dict[str, list[float]] = {name: [] for name in disks}
                for _ in range(repetitions):
                    for name, disk in disks.items():
                        runs[name].append(_seconds(guest, disk, operation, block_size, shares[name]))
                yield Figure(pair, operation, block_size, statistics.median(runs["periplex"]),
                             statistics.median(runs["qemu"]))


def table(figures: list[Figure]) -> str:
    """The figures of one pair as a Markdown table."""
    lines = [f"| {figures[0].pair.title} | Periplex | {figures[0].pair.peer} | ratio | aim |",
             "|---|---|---|---|---|"]
    for figure in figures:
        size = f"{figure.block_size // 1024} KiB" if figure.block_size < MIB else "1 MiB"
        lines.append(f"| {figure.operation} {size} | {figure.megabytes(figure.periplex):.1f} MB/s, "
                     f"{figure.periplex * 1e6:.0f} µs | {figure.megabytes(figure.qemu):.1f} MB/s, "
                     f"{figure.qemu * 1e6:.0f} µs | {figure.ratio:.2f} | "
                     f"{'' if figure.aim is None else f'≥ {figure.aim:.1f}'} |")
    return "\n".join(lines)

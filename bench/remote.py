# SPDX-License-Identifier: Apache-2.0
"""Disks at a seat beside the same disks over USB/IP and usbredir, through one relay at several round trips.

One workstation, one machine, one kernel each. The workstation has a high-speed disk for each way, all attached at the
same time: ours without and with read-ahead (its agent, the gate, periplex-machine, our xHCI), Linux's usbipd and
vhci-hcd, usbredirect and QEMU's usb-redir on qemu-xhci. The guest's dd reads and writes them in turn.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
import unittest.mock
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab import binaries, initramfs, usb_view, workstation
from lab.boot import linux, with_archive
from lab.cpio import Archive
from lab.guest import Guest
from lab.image import MIB, filled
from lab.periplex_hardware import PeriplexHardware
from lab.qemu import module_environment
from lab.relay import Relay
from lab.seat_host import Seat, SeatHost
from lab.workstation import HOST, USBIP_PORT, USBREDIR_PORT, Workstation

RTTS = (0.0, 0.002, 0.01, 0.05)  # seconds
SIZES = (64 << 10, MIB)  # bytes per request
RUN = 1.2  # seconds that one run is to take
RUN_AHEAD = 3.0  # with read-ahead, which needs some round trips to get going
OURS, AHEAD, USBIP, USBREDIR = WAYS = ("ours", "ahead", "usbip", "usbredir")
# What the disks are told apart by.
DISK_SIZES = {way: (64 + index) * MIB for index, way in enumerate(WAYS)}
SOURCE_PORT, SINK_PORT = 5001, 5002  # of the workstation: plain TCP from it and to it
STREAM = 24 * MIB


@dataclass
class Figure:
    """One operation at one block size and round trip. Lists have one entry for each run, in MB/s."""

    rtt: float  # seconds
    operation: str  # "read" or "write"
    block_size: int
    stream: float  # MB/s of plain TCP on this path, in the data's direction
    fixed: float  # seconds: what one exchange costs at no distance
    local: float  # MB/s of such a disk in the workstation itself, with the same requests
    rates: dict[str, list[float]] = field(default_factory=dict)

    def median(self, way: str) -> float:
        """MB/s."""
        return statistics.median(self.rates[way])

    def over_better_peer(self, way: str) -> list[float]:
        """How many times as fast as the better peer, in each run."""
        return [ours / max(peers) for ours, *peers in
                zip(self.rates[way], self.rates[USBIP], self.rates[USBREDIR], strict=True)]

    @property
    def model(self) -> float:
        """MB/s with one round trip for each request: N / (R + c + N/B)."""
        return self.block_size / 1e6 / (self.rtt + self.fixed + self.block_size / 1e6 / self.stream)


class Lab:
    """The workstation, the machine, and everything in between. A context manager."""

    def __enter__(self) -> Lab:
        with ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self, stack: ExitStack) -> None:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="periplex-bench-", dir=place)))
        self.host = stack.enter_context(SeatHost(scratch))
        self.ours = stack.enter_context(PeriplexHardware("vm1", arguments=self.host.worker_arguments()))
        self.workstation = stack.enter_context(self._make_workstation(scratch))
        relays = {port: stack.enter_context(Relay(("127.0.0.1", self.workstation.port(port))))
                  for port in (USBIP_PORT, USBREDIR_PORT, SOURCE_PORT, SINK_PORT)}
        to_gate = stack.enter_context(Relay(("127.0.0.1", self.host.port)))
        self.seat = Seat("desk", self.workstation, to_gate)
        self._paths = [to_gate.path, *(relay.path for relay in relays.values())]
        self._source, self._sink = relays[SOURCE_PORT].port, relays[SINK_PORT].port
        self._serve(self.workstation)
        stack.enter_context(unittest.mock.patch.dict(os.environ, module_environment()))
        self.guest = stack.enter_context(self._make_guest(relays[USBREDIR_PORT].port))
        self._attach(relays[USBIP_PORT].port)

    def _make_workstation(self, scratch: Path) -> Workstation:
        images = {way: filled(scratch / f"{way}.img", size) for way, size in DISK_SIZES.items()}
        devices = [word for way, image in images.items() for word in workstation.disk(way, image, "ehci.0")]
        redirector = Archive()
        binaries.add_programs(redirector, "usbredirect", ("usbredirect",), "trixie")
        # Last, so that all programs have the newest of the C libraries.
        boot = with_archive(Seat.boot(scratch, initramfs.SHARED_SEAT), redirector, scratch)
        return Workstation(devices, forwards=(USBIP_PORT, USBREDIR_PORT, SOURCE_PORT, SINK_PORT), name="bench-seat",
                           boot=boot)

    def _serve(self, ws: Workstation) -> None:
        """Starts what gives the disks away, and what plain TCP is measured with."""
        disks = {way: usb_view.wait_disk(ws.guest, DISK_SIZES[way]) for way in WAYS}
        self.local = {(operation, size): size / 1e6 / _seconds(ws.guest, disks[OURS], operation, size, 32 * MIB // size)
                      for operation in ("read", "write") for size in SIZES}
        ws.guest.check(f"""
            mkfifo /run/never
            (while :; do nc -l -p {SOURCE_PORT} </dev/zero >/dev/null 2>&1; done) &
            (while :; do nc -l -p {SINK_PORT} <>/run/never >/dev/null 2>&1; done) &""")
        ws.start_usbip_server()
        ws.export(self._sysfs(USBIP).rpartition("/")[2])
        number = ws.guest.check(f"echo $(cat {self._sysfs(USBREDIR)}/busnum)-$(cat {self._sysfs(USBREDIR)}/devnum)")
        ws.guest.check(f"""
            usbredirect --device {number} --as 0.0.0.0:{USBREDIR_PORT} >/run/usbredirect.log 2>&1 &
            until netstat -ltn | grep -q :{USBREDIR_PORT}; do sleep 0.1; done""", 20)
        self.seat.join(self.host)

    def _sysfs(self, way: str) -> str:
        """The directory of the workstation's disk."""
        return self.workstation.guest.check(f"dirname $(grep -lx {way} /sys/bus/usb/devices/*/serial)")

    def _make_guest(self, redir_port: int) -> Guest:
        arguments = [*self.ours.arguments(), "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
                     "-device", "qemu-xhci,id=usb", "-chardev", f"socket,id=redir,host=127.0.0.1,port={redir_port}",
                     "-device", "usb-redir,chardev=redir,bus=usb.0"]
        return Guest("bench-remote", linux(initramfs.WORKSTATION), arguments)

    def _attach(self, usbip_port: int) -> None:
        """Brings all disks into the guest; their names there."""
        offered = self.seat.identifiers("HARDDRIVE", 2)
        for way, settings in ((OURS, "read-ahead=off"), (AHEAD, "read-ahead=on")):
            name = next(one for one in offered if one.endswith(way))
            self.ours.machine.cli("attach", f"seat,id={way},peripheral=desk/{name},{settings}")
        bus_id = self._sysfs(USBIP).rpartition("/")[2]
        self.guest.check(f"""
            mkdir -p /var/run; ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
            usbip --tcp-port {usbip_port} attach -r {HOST} -b {bus_id}""", 30)
        self.disks = {way: usb_view.wait_disk(self.guest, size, 60) for way, size in DISK_SIZES.items()}

    def set_rtt(self, rtt: float) -> None:
        """Changes the network, in seconds there and back."""
        for path in self._paths:
            path.delay = rtt / 2

    def seconds(self, way: str, operation: str, block_size: int, requests: int) -> float:
        """Time in the guest for direct-I/O requests in sequence, per request."""
        return _seconds(self.guest, self.disks[way], operation, block_size, requests)

    def stream(self, operation: str) -> float:
        """MB/s of a plain TCP stream between the workstation and this computer, in the data's direction."""
        port = SOURCE_PORT if operation == "read" else SINK_PORT
        self.workstation.guest.until(f"netstat -ltn | grep -q :{port}")  # its last client's server has ended
        if operation == "read":
            with socket.create_connection(("127.0.0.1", self._source)) as source:
                self._receive(source, 4 * MIB)  # until it has its pace
                started = time.monotonic()
                self._receive(source, STREAM)
                return STREAM / 1e6 / (time.monotonic() - started)
        with socket.create_connection(("127.0.0.1", self._sink)) as sink:
            started = time.monotonic()
            sink.sendall(bytes(STREAM))
            sink.shutdown(socket.SHUT_WR)
            while sink.recv(65536):
                pass
            # One round trip passes until the end has been heard of.
            return STREAM / 1e6 / (time.monotonic() - started - 2 * self._paths[0].delay)

    @staticmethod
    def _receive(source: socket.socket, size: int) -> None:
        while size > 0:
            data = source.recv(min(size, 1 << 18))
            if not data:
                raise ConnectionError("the workstation's stream has ended")
            size -= len(data)


def _seconds(guest: Guest, disk: str, operation: str, block_size: int, requests: int) -> float:
    ends = (f"if=/dev/{disk} of=/dev/null iflag=direct" if operation == "read"
            else f"if=/dev/zero of=/dev/{disk} oflag=direct")
    times = guest.check(f"read a b </proc/uptime; dd {ends} bs={block_size} count={requests} 2>/dev/null; "
                        "read c d </proc/uptime; echo $a $c", 120)
    start, end = map(float, times.split())
    return max(end - start, 0.01) / requests


def measure(repetitions: int = 5) -> Iterator[Figure]:
    """Yields each figure as soon as it is known."""
    with Lab() as lab:
        lab.seconds(OURS, "read", 4096, 200)  # everything is in its caches then
        for rtt in RTTS:
            lab.set_rtt(0.0)
            # Anew each time: it is what drifts most on a busy machine.
            fixed = statistics.median(lab.seconds(OURS, "read", 4096, 100) for _ in range(repetitions))
            lab.set_rtt(rtt)
            streams = {operation: statistics.median(lab.stream(operation) for _ in range(3))
                       for operation in ("read", "write")}
            for block_size in SIZES:
                for operation, stream in streams.items():
                    figure = Figure(rtt, operation, block_size, stream, fixed, lab.local[operation, block_size])
                    _run(lab, figure, repetitions)
                    yield figure


def _run(lab: Lab, figure: Figure, repetitions: int) -> None:
    """Fills in the rates; the ways take turns."""
    ways = [way for way in WAYS if figure.operation == "read" or way != AHEAD]
    requests = {}
    for way in ways:
        most = DISK_SIZES[way] // figure.block_size
        first, run = (most // 2, RUN_AHEAD) if way == AHEAD else (2, RUN)
        requests[way] = min(most, max(2, round(run / lab.seconds(way, figure.operation, figure.block_size, first))))
        figure.rates[way] = []
    for _ in range(repetitions):
        for way in ways:
            seconds = lab.seconds(way, figure.operation, figure.block_size, requests[way])
            figure.rates[way].append(figure.block_size / 1e6 / seconds)


def table(figures: list[Figure]) -> str:
    """The figures as Markdown: one table of rates, one of ratios."""
    of = {(figure.rtt, figure.operation): figure for figure in figures}
    lines = ["| the path | c | B from the seat | B to the seat |", "|---|---|---|---|"]
    lines += [f"| {rtt * 1e3:g} ms | {of[rtt, 'read'].fixed * 1e3:.1f} ms | {of[rtt, 'read'].stream:.0f} MB/s | "
              f"{of[rtt, 'write'].stream:.0f} MB/s |" for rtt in dict.fromkeys(figure.rtt for figure in figures)]
    lines += ["", "In the workstation itself such a disk does, in MB/s: "
             + ", ".join(f"{_name(figure)} {figure.local:.0f}" for figure in figures if figure.rtt == RTTS[0]) + ".", "",
             "| MB/s | RTT | Periplex | with read-ahead | usbip | usbredir | N / (R + c + N/B) |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {_name(figure)} | {figure.rtt * 1e3:g} ms | {figure.median(OURS):.2f} | "
              f"{f'{figure.median(AHEAD):.2f}' if AHEAD in figure.rates else ''} | {figure.median(USBIP):.2f} | "
              f"{figure.median(USBREDIR):.2f} | {figure.model:.2f} |" for figure in figures]
    lines += ["", "| ratios | RTT | Periplex over the better peer | aim | over the model | aim | "
              "with read-ahead over B | aim |", "|---|---|---|---|---|---|---|---|"]
    for figure in figures:
        far = figure.rtt >= 0.01
        beside = "≥ 2" if far else "≥ 1" if figure.rtt == 0 else ""
        ahead = (f"{_spread([rate / figure.stream for rate in figure.rates[AHEAD]])} | ≥ 0.7" if AHEAD in figure.rates
                 else " | ")
        lines.append(f"| {_name(figure)} | {figure.rtt * 1e3:g} ms | {_spread(figure.over_better_peer(OURS))} | {beside} | "
                     f"{_spread([rate / figure.model for rate in figure.rates[OURS]])} | {'≥ 0.85' if far else ''} | "
                     f"{ahead} |")
    return "\n".join(lines)


def _name(figure: Figure) -> str:
    size = f"{figure.block_size >> 10} KiB" if figure.block_size < MIB else f"{figure.block_size // MIB} MiB"
    return f"{figure.operation} {size}"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} … {max(values):.2f})"

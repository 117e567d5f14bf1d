# SPDX-License-Identifier: Apache-2.0
"""docs/benchmarks.md: the figures of one run, between two markers, with what they were taken on."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path
from typing import Any

PAGE = Path("docs/benchmarks.md")
BEGIN = "<!-- figures: written by `make bench` -->"
END = "<!-- end of the figures -->"


def machine() -> str:
    """The processor, the kernel and the load of this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return (f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, Linux {platform.release()}, "
            f"load {os.getloadavg()[0]:.1f} at the start")


def native_tables(native: dict[str, Any]) -> str:
    """What `periplex_bench` printed, as Markdown."""
    lines = ["| bulk | TD | Periplex | memcpy | ratio | aim |", "|---|---|---|---|---|---|"]
    for bulk in native["bulk"]:
        lines.append(f"| {bulk['direction']} | {bulk['td_bytes'] // 1024} KiB × {bulk['queued']} | "
                     f"{bulk['bytes_per_second']['median'] / 1e9:.2f} GB/s | "
                     f"{bulk['memcpy_bytes_per_second']['median'] / 1e9:.2f} GB/s | {_spread(bulk['ratio'])} | ≥ 0.5 |")
    trip = native["round_trip"]
    idle = native["idle"]
    lines += ["", "| | figure | aim |", "|---|---|---|",
              f"| register read over a bare ping-pong ({trip['register_read_seconds']['median'] * 1e6:.1f} µs over "
              f"{trip['bare_socket_seconds']['median'] * 1e6:.1f} µs) | {_spread(trip['ratio'])} | ≤ 1.3 |",
              f"| wake-ups of an idle worker in {idle['seconds']:g} s | {idle['wakeups']} | 0 |",
              f"| resident memory of a worker beside guest RAM | {idle['resident_bytes'] / 2**20:.1f} MiB | ≤ 16 MiB |"]
    return "\n".join(lines)


def _spread(samples: dict[str, float]) -> str:
    return f"{samples['median']:.2f} ({samples['min']:.2f} … {samples['max']:.2f})"


def write(sections: dict[str, str], conditions: str) -> None:
    """Replaces the figures on the page."""
    page = PAGE.read_text(encoding="utf-8")
    today = datetime.date.today().isoformat()
    body = "\n\n".join([f"## Figures\n\nTaken {today} on {conditions}.",
                        *(f"### {title}\n\n{text}" for title, text in sections.items())])
    figures = f"{BEGIN}\n{body}\n\n{END}"
    if BEGIN in page:
        page = page[:page.index(BEGIN)] + figures + page[page.index(END) + len(END):]
    else:
        page = page.rstrip() + "\n\n" + figures + "\n"
    PAGE.write_text(page, encoding="utf-8")

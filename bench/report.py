# SPDX-License-Identifier: Apache-2.0
"""docs/benchmarks.md: figures between two markers, section by section, each with what they were taken on."""

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


def batching_tables(native: dict[str, Any]) -> str:
    """Transfer batching in front of a device side that answers after a delay, as Markdown."""
    lines = ["| 64 KiB data sets | guest packets | requests | in flight | "
             + " | ".join(f"{delay} ms" for delay in ("0", "1", "10", "50")) + " |",
             "|---|---|---|---|---|---|---|---|"]
    rows: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for figure in native["batching"]:
        rows.setdefault((figure["controller"], figure["direction"], figure["in_flight"]), []).append(figure)
    for (controller, direction, in_flight), figures in rows.items():
        requests = max(figure["requests_per_data_set"] for figure in figures)
        packets = max(figure["packets_per_request"] * figure["requests_per_data_set"] for figure in figures)
        cells = [f"{figure['bytes_per_second']['median'] / 1e6:.1f} MB/s"
                 + ("" if figure["delay_seconds"] == 0 else f" ({figure['ratio']['median']:.2f})") for figure in figures]
        lines.append(f"| {controller} {direction} | {packets:.0f} | {requests:.2f} | {in_flight} | {' | '.join(cells)} |")
    lines += ["", "| one data set, driver and device included | guest packets | ns per byte | ns per packet |",
              "|---|---|---|---|"]
    lines += [f"| {cost['controller']} {cost['direction']}, {cost['data_set_bytes'] // 1024} KiB | {cost['packets']} | "
              f"{cost['nanoseconds_per_byte']['median']:.3f} | {cost['nanoseconds_per_packet']['median']:.0f} |"
              for cost in native["cost"]]
    lines += ["", "| wake-ups per second, a device configured and idle | running | stopped |", "|---|---|---|"]
    lines += [f"| {idle['controller']} | {idle['running_wakeups_per_second']:.0f} | "
              f"{idle['stopped_wakeups_per_second']:.0f} |" for idle in native["controller_idle"]]
    return "\n".join(lines)


def _spread(samples: dict[str, float]) -> str:
    return f"{samples['median']:.2f} ({samples['min']:.2f} … {samples['max']:.2f})"


def write(sections: dict[str, str], conditions: str) -> None:
    """Replaces these sections of the page, and leaves the others as they are."""
    page = PAGE.read_text(encoding="utf-8")
    if BEGIN not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, after = page[:page.index(BEGIN)], page[page.index(END) + len(END):]
    taken = f"Taken {datetime.date.today().isoformat()} on {conditions}."
    everything = _sections(page[page.index(BEGIN) + len(BEGIN):page.index(END)])
    everything |= {title: f"{taken}\n\n{text}" for title, text in sections.items()}
    body = "\n\n".join(["## Figures", *(f"### {title}\n\n{text}" for title, text in everything.items())])
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n\n{END}{after}", encoding="utf-8")


def _sections(figures: str) -> dict[str, str]:
    """What stands under each title now."""
    parts = re.split(r"^### (.*)$", figures, flags=re.MULTILINE)[1:]
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}

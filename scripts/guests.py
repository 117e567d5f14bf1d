# SPDX-License-Identifier: Apache-2.0
"""Steps in Python: whole guests (what they boot, and the tests in tests/), and the tests of the tools."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.commands import HOUR, CommandFailed, Log
from scripts.steps import Count


def prepare(log: Log) -> Count:
    """Fetches QEMU, firmware, kernel and programs into the lab's cache, so that no test's deadline pays for it."""
    log.run([sys.executable, "-m", "lab.qemu", "--prepare"])
    log.run([sys.executable, "-c", "from lab import boot; boot.prepare()"])
    return Count()


def tool_tests(log: Log) -> Count:
    """Runs the tests of scripts/ and lab/ themselves: seconds, and no guest."""
    count = Count()
    for folder in ("scripts", "lab"):
        if not any(Path(folder).glob("*_test.py")):
            continue
        status = log.status([sys.executable, "-m", "unittest", "discover", "-s", folder, "-t", ".", "-p", "*_test.py"])
        text = log.path.read_text(encoding="utf-8", errors="replace")
        ran = unittest_count(text)
        count += ran if status == 0 or ran.failed else Count(failed=1)
    if count.failed:
        raise CommandFailed(f"tests of the tools: {count}", count)
    return count


def guest_tests(counts: str, timeout: float = 2 * HOUR) -> Callable[[Log], Count]:
    """Runs tests/test_*_guest.py; `counts` is `short` or `full`."""

    def action(log: Log) -> Count:
        status = log.status([sys.executable, "-u", "-m", "unittest", "discover", "-v", "-s", "tests",
                             "-p", "test_*_guest.py"],
                            environment={"PERIPLEX_COUNTS": counts}, timeout=timeout)
        count = unittest_count(log.path.read_text(encoding="utf-8", errors="replace"))
        if count == Count():
            raise CommandFailed("no guest test has run")
        if status != 0 and not count.failed:
            count.failed = 1
        if count.failed:
            raise CommandFailed(f"guest tests: {count}", count)
        return count

    return action


def unittest_count(text: str) -> Count:
    """Out of unittest's closing lines: `Ran 12 tests in 60.0s`, `FAILED (failures=1, errors=1, skipped=2)`."""
    ran = re.findall(r"^Ran (\d+) tests? in ", text, re.M)
    if not ran:
        return Count()
    closing = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.M)
    kinds = dict(re.findall(r"(\w[\w ]*)=(\d+)", closing[-1] if closing else ""))
    bad = int(kinds.get("failures", 0)) + int(kinds.get("errors", 0))
    skipped = int(kinds.get("skipped", 0))
    return Count(max(int(ran[-1]) - bad - skipped, 0), bad, skipped)

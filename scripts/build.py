# SPDX-License-Identifier: Apache-2.0
"""Configures, builds and unit-tests one of CMake's presets; the actions of a plan's steps."""

from __future__ import annotations

import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.commands import HOUR, SANITIZER_ENVIRONMENT, CommandFailed, Log
from scripts.steps import Count, Plan, Step

BUILD = Path("build")


def build(preset: str, targets: Sequence[str] = (), polite: bool = False) -> Callable[[Log], Count]:
    """Builds `targets` (all if none) of `preset`; with a lower priority when `polite`."""

    def action(log: Log) -> Count:
        log.run(["cmake", "--preset", preset])
        command = ["cmake", "--build", "--preset", preset]
        if targets:
            command += ["--target", *targets]
        log.run(["nice", "-n", "10", *command] if polite else command, timeout=2 * HOUR)
        return Count()

    return action


def unit_tests(preset: str) -> Callable[[Log], Count]:
    """Runs the preset's tests through ctest; counts the single tests in each test program."""

    def action(log: Log) -> Count:
        directory = BUILD / preset
        results = directory / "test-results"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir(parents=True)
        summary = results / "ctest.xml"
        status = log.status(
            ["ctest", "--test-dir", directory, "--output-on-failure", "--no-tests=error", "--parallel", "2",
             "--output-junit", summary.resolve()],
            environment={"GTEST_OUTPUT": f"json:{results.resolve()}/", **SANITIZER_ENVIRONMENT})
        count = ctest_count(results, summary)
        if status != 0 and not count.failed:
            count.failed = 1
        if count.failed:
            raise CommandFailed(f"unit tests: {count}", count)
        return count

    return action


def ctest_count(results: Path, summary: Path) -> Count:
    """What the test programs wrote; a program that died or is missing counts as one failure."""
    count = Count()
    for file in results.glob("*.json"):
        report = json.loads(file.read_text(encoding="utf-8"))
        skipped = sum(test.get("result") == "SKIPPED" for suite in report["testsuites"] for test in suite["testsuite"])
        ran = report["tests"] - report["disabled"] - skipped
        count += Count(ran - report["failures"], report["failures"], skipped + report["disabled"])
    if not summary.exists():
        return count
    failed = sum(case.get("status") in ("fail", "notrun") for case in ElementTree.parse(summary).iter("testcase"))
    return count if count.failed >= failed else Count(count.passed, failed, count.skipped)


def main() -> int:
    """`python3 -m scripts.build TARGET...`: builds release targets, for `make demo` and `make bench`."""
    return Plan("build", [Step("build release", build("release", sys.argv[1:]))]).run()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""`make check`: everything a change must pass, in under 25 minutes on two cores.

The guests run while the sanitizer builds are made with a lower priority: a guest waits much and
computes on one core. The fuzzers come last, alone, because each wants a core.
"""

from __future__ import annotations

import os
import sys

from scripts import lint
from scripts.build import build, unit_tests
from scripts.commands import ROOT
from scripts.fuzz import fuzz
from scripts.guests import guest_tests, prepare, tool_tests
from scripts.steps import Plan, Step

FUZZ_SECONDS = 10  # for each target


def main() -> int:
    """Runs the check; an exit status."""
    os.chdir(ROOT)
    return Plan("check", [
        Step("format and lint", lint.step),
        Step("tests of the tools", tool_tests),
        Step("fetch what guests boot", prepare),
        Step("build release", build("release"), after=["format and lint"]),
        Step("unit tests", unit_tests("release"), needs=["build release"]),
        Step("whole guests", guest_tests("short"), needs=["build release", "fetch what guests boot"],
             after=["unit tests"]),
        Step("build with sanitizers", build("asan", polite=True), after=["unit tests"]),
        Step("unit tests with sanitizers", unit_tests("asan"), needs=["build with sanitizers"]),
        Step("build fuzz targets", build("fuzz", polite=True), after=["unit tests with sanitizers"]),
        Step("fuzz on the kept corpus", fuzz(FUZZ_SECONDS), needs=["build fuzz targets"], after=["whole guests"]),
    ]).run()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""`make soak`: the full counts of the guest tests, thread sanitizer, and an hour of fuzzing in all or more."""

from __future__ import annotations

import os
import sys

from scripts.build import build, unit_tests
from scripts.commands import HOUR, ROOT
from scripts.fuzz import fuzz
from scripts.guests import guest_tests, prepare
from scripts.steps import Plan, Step

FUZZ_SECONDS = 600  # for each target, unless FUZZ_SECONDS says otherwise


def main() -> int:
    """Runs the soak; an exit status."""
    os.chdir(ROOT)
    seconds = int(os.environ.get("FUZZ_SECONDS") or FUZZ_SECONDS)
    return Plan("soak", [
        Step("fetch what guests boot", prepare),
        Step("build release", build("release")),
        Step("build with thread sanitizer", build("tsan"), after=["build release"]),
        Step("unit tests with thread sanitizer", unit_tests("tsan"), needs=["build with thread sanitizer"]),
        Step("build fuzz targets", build("fuzz"), after=["unit tests with thread sanitizer"]),
        Step("whole guests, full counts", guest_tests("full", 12 * HOUR),
             needs=["build release", "fetch what guests boot"], after=["build fuzz targets"]),
        Step(f"fuzz for {seconds} s each", fuzz(seconds), needs=["build fuzz targets"],
             after=["whole guests, full counts"]),
    ]).run()


if __name__ == "__main__":
    sys.exit(main())

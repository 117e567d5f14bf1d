# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz targets on their kept corpora.

`python3 -m scripts.fuzz [--seconds N] [--merge] [TARGET...]` runs each target for N seconds, two at a
time. What libFuzzer finds new goes to build/fuzz-corpus/TARGET and is used again by the next run;
`--merge` afterwards takes what adds coverage into the kept corpus beside the source. An input that
breaks something is kept in build/fuzz-findings/TARGET.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.build import BUILD, build
from scripts.commands import LOGS, ROOT, SANITIZER_ENVIRONMENT, CommandFailed, Log
from scripts.steps import Count, Plan, Step

DEFAULT_SECONDS = 3600
SLACK = 300.0  # seconds beside the asked ones: reading the corpus, and a last slow input
LIMITS = ["-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1", "-verbosity=1"]


def targets() -> list[str]:
    """The names of all fuzz targets that are built."""
    return sorted(file.name.removesuffix("_fuzz") for file in (BUILD / "fuzz/bin").glob("*_fuzz"))


def kept_corpus(target: str) -> Path | None:
    """The directory beside the source that holds the target's inputs."""
    return next((path for path in sorted(Path("src").rglob(f"corpus/{target}")) if path.is_dir()), None)


def run(target: str, seconds: int, log: Log) -> bool:
    """Fuzzes one target; whether nothing was found."""
    grown = BUILD / "fuzz-corpus" / target
    findings = BUILD / "fuzz-findings" / target
    for directory in (grown, findings):
        directory.mkdir(parents=True, exist_ok=True)
    kept = kept_corpus(target)
    status = log.status(
        [BUILD / "fuzz/bin" / f"{target}_fuzz", f"-max_total_time={seconds}", f"-artifact_prefix={findings}/",
         *LIMITS, grown, *([kept] if kept else [])],
        environment=SANITIZER_ENVIRONMENT, timeout=seconds + SLACK)
    return status == 0


def merge(target: str, log: Log) -> bool:
    """Takes from the grown corpus into the kept one what adds coverage."""
    kept = kept_corpus(target)
    if kept is None:
        log.note(f"{target}: has no directory corpus/{target} beside its source")
        return False
    log.run([BUILD / "fuzz/bin" / f"{target}_fuzz", "-merge=1", *LIMITS, kept, BUILD / "fuzz-corpus" / target],
            environment=SANITIZER_ENVIRONMENT)
    return True


def fuzz(seconds: int, only: Sequence[str] = (), merge_after: bool = False) -> Callable[[Log], Count]:
    """A step that runs the targets, two at a time; each is one test."""

    def one(target: str, log: Log) -> bool:
        own = Log(LOGS / "fuzz" / f"{target}.log")
        good = run(target, seconds, own) and (not merge_after or merge(target, own))
        log.note(f"{target}: nothing found in {_executed(own)} runs" if good
                 else f"{own.tail(60)}\n{target}: FAILED, see build/fuzz-findings/{target}")
        return good

    def action(log: Log) -> Count:
        unknown = set(only) - set(targets())
        if unknown:
            raise CommandFailed(f"no such fuzz targets: {', '.join(sorted(unknown))}; there are {', '.join(targets())}")
        with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as workers:
            good = list(workers.map(lambda target: one(target, log), only or targets()))
        if not good:
            raise CommandFailed("there are no fuzz targets")
        return Count(passed=sum(good), failed=len(good) - sum(good))

    return action


def _executed(log: Log) -> str:
    """How many inputs libFuzzer says it ran."""
    found = re.findall(r"number_of_executed_units: (\d+)", log.path.read_text(encoding="utf-8", errors="replace"))
    return found[0] if found else "no"


def main() -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="scripts.fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="for each target (default %(default)s)")
    parser.add_argument("--merge", action="store_true", help="keep new inputs that add coverage")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    return Plan("fuzz", [
        Step("build fuzz targets", build("fuzz")),
        Step(f"fuzz for {chosen.seconds} s each", fuzz(chosen.seconds, chosen.targets, chosen.merge),
             needs=["build fuzz targets"]),
    ]).run()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Tests of plans, and of how the steps' counts are read."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from scripts import build, guests, steps
from scripts.commands import CommandFailed, Log
from scripts.steps import Count, Plan, Step


class Plans(unittest.TestCase):
    """The order of steps, what a failure does, and the closing line."""

    def setUp(self) -> None:
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.object(steps, "LOGS", Path(directory)))
        self.ran: list[str] = []

    def passing(self, name: str, count: Count = Count(), **edges: list[str]) -> Step:
        """A step that succeeds and is remembered in `ran`."""

        def action(_: Log) -> Count:
            self.ran.append(name)
            return count

        return Step(name, action, **edges)

    def failing(self, name: str, error: Exception, **edges: list[str]) -> Step:
        """A step that fails."""

        def action(_: Log) -> Count:
            raise error

        return Step(name, action, **edges)

    def outcome(self, *plan: Step) -> tuple[int, list[str]]:
        """Exit status and output lines."""
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            status = Plan("test", plan).run()
        return status, shown.getvalue().splitlines()

    def test_steps_wait_for_those_before_them_and_counts_add_up(self) -> None:
        status, lines = self.outcome(self.passing("c", Count(2), needs=["b"]), self.passing("a", Count(1)),
                                     self.passing("b", after=["a"]))
        self.assertEqual(self.ran, ["a", "b", "c"])
        self.assertEqual((status, lines[-1]), (0, "3 passed, 0 failed"))

    def test_what_needs_a_failed_step_is_not_run_and_counts_as_failed(self) -> None:
        status, lines = self.outcome(self.failing("a", CommandFailed("no", Count(4, 2))),
                                     self.passing("b", needs=["a"]), self.passing("c", Count(1), after=["b"]))
        self.assertEqual(self.ran, ["c"])
        self.assertEqual((status, lines[-1]), (1, "5 passed, 3 failed"))

    def test_a_bug_in_a_step_is_a_failure_and_not_the_end(self) -> None:
        status, lines = self.outcome(self.failing("a", KeyError("x")), self.passing("b", Count(1)))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))


class Counts(unittest.TestCase):
    """What the test programs say of themselves."""

    def test_unittests_closing_lines(self) -> None:
        cases = {
            "Ran 3 tests in 0.1s\n\nOK\n": Count(3),
            "Ran 1 test in 0.1s\n\nOK (skipped=1)\n": Count(0, 0, 1),
            "Ran 9 tests in 60.0s\n\nFAILED (failures=1, errors=2, skipped=3)\n": Count(3, 3, 3),
            "no such thing\n": Count(),
        }
        for text, count in cases.items():
            with self.subTest(text=text):
                self.assertEqual(guests.unittest_count(text), count)

    def test_googletest_reports_and_programs_that_died(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            results = Path(name)
            report = {"tests": 4, "failures": 1, "disabled": 0,
                      "testsuites": [{"testsuite": [{"result": "SKIPPED"}, {"result": "COMPLETED"}]}]}
            (results / "a.json").write_text(json.dumps(report))
            summary = results / "ctest.xml"
            died = '<testcase name="{}" status="fail"/>'
            summary.write_text(f"<testsuite>{died.format('a')}</testsuite>")
            self.assertEqual(build.ctest_count(results, summary), Count(2, 1, 1))
            summary.write_text(f"<testsuite>{died.format('a')}{died.format('b')}</testsuite>")
            self.assertEqual(build.ctest_count(results, summary), Count(2, 2, 1))


if __name__ == "__main__":
    unittest.main()

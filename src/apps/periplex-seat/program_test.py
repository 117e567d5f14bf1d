# SPDX-License-Identifier: Apache-2.0
"""The program periplex-seat as its user meets it, on whatever this computer has."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["PERIPLEX_BUILD"]) / "periplex-seat"
PATIENCE = 60


class Seat(unittest.TestCase):
    """Every answer has its exit status."""

    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="periplex-seat-")))
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(self.directory)}

    def run_seat(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env=self.environment)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_help_tells_how_rules_are_written(self) -> None:
        self.assertIn("[[rule]]", self.run_seat("--help").stdout)

    def test_a_list_is_there_as_table_and_as_json(self) -> None:
        self.assertIsInstance(json.loads(self.run_seat("list", "--json").stdout)["peripherals"], list)
        self.assertTrue(self.run_seat("list").stdout)

    def test_mistakes_are_told_with_their_place(self) -> None:
        self.assertIn("--help", self.run_seat(status=2).stderr)
        self.run_seat("nonsense", status=2)
        file = self.directory / "periplex" / "seat.toml"
        file.parent.mkdir()
        file.write_text("[[rule]]\naction = 'perhaps'\n")
        self.assertIn("seat.toml:2: ", self.run_seat("list", status=2).stderr, "the usual file is read")
        self.run_seat("list", "--config", "/nonexistent.toml", status=2)

    def test_watching_ends_with_a_signal(self) -> None:
        watching = subprocess.Popen([PROGRAM, "watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=self.environment)
        # Signals are blocked, and so wait, as soon as its own descriptor for them is there.
        while not any("signalfd" in target for target in self._descriptors(watching.pid)):
            self.assertIsNone(watching.poll())
        watching.send_signal(signal.SIGTERM)
        watching.communicate(timeout=PATIENCE)
        self.assertEqual(watching.returncode, 0)

    @staticmethod
    def _descriptors(pid: int) -> list[str]:
        targets = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                targets.append(os.readlink(link))
        return targets


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""Commands run by a step: their output goes to the step's log, their last line to the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.steps import Count

ROOT = Path(__file__).resolve().parent.parent
LOGS = Path("build/logs")
HOUR = 3600.0

# Without these, a sanitizer's report has addresses for names; with them, any report ends the program.
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "ASAN_SYMBOLIZER_PATH": "/usr/lib/llvm-19/bin/llvm-symbolizer",
    "UBSAN_SYMBOLIZER_PATH": "/usr/lib/llvm-19/bin/llvm-symbolizer",
}

_running: set[subprocess.Popen[str]] = set()
_running_lock = threading.Lock()


class CommandFailed(Exception):
    """A command of a step failed; `count` where it is known how many tests did."""

    def __init__(self, text: str, count: Count | None = None) -> None:
        """`text` says what, for the log."""
        super().__init__(text)
        self.count = count


class Log:
    """A step's log file, and the commands that write to it. May be used by several threads."""

    def __init__(self, path: Path) -> None:
        """The file is begun anew with the first command or note."""
        self.path = path
        self.last = ""
        self._begun = False
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Writes `text` as a line."""
        with self._lock:
            self._begin()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text if text.endswith("\n") else text + "\n")
            lines = [line for line in text.splitlines() if line.strip()]
            self.last = lines[-1].strip() if lines else self.last

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None,
            timeout: float = HOUR) -> None:
        """Runs `command` in the project's root; raises `CommandFailed` unless it ends with 0 in time."""
        status = self.status(command, environment, timeout)
        if status != 0:
            raise CommandFailed(f"status {status} from: {shlex.join(map(str, command))}")

    def status(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None,
               timeout: float = HOUR) -> int:
        """Like `run`, but returns the exit status."""
        self.note(f"$ {shlex.join(map(str, command))}")
        child = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 errors="replace", env={**os.environ, **(environment or {})})
        with _running_lock:
            _running.add(child)
        guard = threading.Timer(timeout, self._out_of_time, (child, timeout))
        guard.daemon = True
        guard.start()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                self.note(line)
            return child.wait()
        finally:
            guard.cancel()
            with _running_lock:
                _running.discard(child)

    def tail(self, lines: int) -> str:
        """The log's last lines, indented, under its name."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        return "\n".join([f"  --- {self.path}", *(f"  {line}" for line in text.splitlines()[-lines:]), "  ---"])

    def _begin(self) -> None:
        if not self._begun:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("")
            self._begun = True

    def _out_of_time(self, child: subprocess.Popen[str], timeout: float) -> None:
        self.note(f"killed: it has run for {timeout:.0f} s")
        child.kill()


def stop_all() -> None:
    """Ends what still runs (the person at the terminal has had enough)."""
    with _running_lock:
        for child in _running:
            child.terminate()

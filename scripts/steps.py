# SPDX-License-Identifier: Apache-2.0
"""A plan of steps: runs each as soon as those before it have ended, shows progress, adds up the counts."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from scripts.commands import LOGS, CommandFailed, Log, stop_all

TAIL_LINES = 40  # of a failed step's log
HEARTBEAT = 60.0  # seconds between signs of life where the output is not a terminal


@dataclass
class Count:
    """How many tests a step ran. A step without tests counts nothing when it succeeds."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class State(Enum):
    """Where a step is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "FAILED"
    SKIPPED = "not run"


@dataclass
class Step:
    """One step of a plan.

    `action(log)` does the work and returns what it counted; it fails by a count with failures or by
    `CommandFailed`. `needs` names steps that must have succeeded, `after` steps that must have ended.
    """

    name: str
    action: Callable[[Log], Count]
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    state: State = State.WAITING
    count: Count = field(default_factory=Count)
    started: float = 0.0
    seconds: float = 0.0
    log: Log = field(init=False)

    def __post_init__(self) -> None:
        slug = "".join(c if c.isalnum() else "-" for c in self.name.lower()).strip("-")
        self.log = Log(LOGS / f"{slug}.log")

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in (State.WAITING, State.RUNNING)


class Plan:
    """Steps in the order in which they are shown; `run` works through them."""

    def __init__(self, title: str, steps: Sequence[Step]) -> None:
        """`title` heads the summary."""
        self._title = title
        self._steps = list(steps)
        self._by_name = {step.name: step for step in steps}
        self._changed = threading.Condition()
        self._screen = _Screen()

    def run(self) -> int:
        """Runs everything; prints a summary whose last line is `N passed, N failed`. An exit status."""
        started = time.monotonic()
        try:
            with self._changed:
                while not all(step.ended for step in self._steps):
                    self._start_ready()
                    self._changed.wait(0.5)
                    self._screen.show([s for s in self._steps if s.state is State.RUNNING])
        except KeyboardInterrupt:
            stop_all()
            self._screen.line("interrupted")
            return 130
        return self._summarise(time.monotonic() - started)

    def _start_ready(self) -> None:
        for number, step in enumerate(self._steps, 1):
            if step.state is not State.WAITING:
                continue
            needs = [self._by_name[name] for name in step.needs]
            before = needs + [self._by_name[name] for name in step.after]
            if any(other.ended and other.state is not State.DONE for other in needs):
                step.state = State.SKIPPED
                step.count = Count(failed=1)
                self._screen.line(f"{self._label(number, step)}: not run, because a step before it failed")
            elif all(other.ended for other in before):
                step.state = State.RUNNING
                step.started = time.monotonic()
                self._screen.line(self._label(number, step))
                threading.Thread(target=self._work, args=(number, step), daemon=True).start()

    def _work(self, number: int, step: Step) -> None:
        try:
            count = step.action(step.log)
            state = State.FAILED if count.failed else State.DONE
        except CommandFailed as error:
            step.log.note(str(error))
            count, state = error.count or Count(failed=1), State.FAILED
        except Exception as error:  # a bug in the step itself must not hang the plan
            step.log.note(f"{type(error).__name__}: {error}")
            count, state = Count(failed=1), State.FAILED
        with self._changed:
            step.seconds = time.monotonic() - step.started
            step.count, step.state = count, state
            counted = f", {count}" if count != Count() else ""
            self._screen.line(f"{self._label(number, step)}: {state.value} in {step.seconds:.0f} s{counted}")
            if state is State.FAILED:
                self._screen.line(step.log.tail(TAIL_LINES))
            self._changed.notify()

    def _label(self, number: int, step: Step) -> str:
        width = len(str(len(self._steps)))
        return f"[{number:{width}}/{len(self._steps)}] {step.name}"

    def _summarise(self, seconds: float) -> int:
        total = sum((step.count for step in self._steps), Count())
        if len(self._steps) == 1 and total == Count():
            return 0
        self._screen.line("")
        self._screen.line(f"{self._title}: {seconds / 60:.1f} minutes, logs in {LOGS}/")
        for step in self._steps:
            counted = str(step.count) if step.count != Count() else ""
            self._screen.line(f"  {step.state.value:8} {step.seconds:6.0f} s  {step.name:32} {counted}".rstrip())
        if total.skipped:
            self._screen.line(f"{total.skipped} skipped")
        self._screen.line(f"{total.passed} passed, {total.failed} failed")
        return 1 if total.failed else 0


class _Screen:
    """Lines that stay; and, below them on a terminal, one line that changes."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._last_beat = time.monotonic()

    def line(self, text: str) -> None:
        """Prints a line that stays."""
        with self._lock:
            print(("\r\033[K" if self._terminal else "") + text, flush=True)

    def show(self, running: list[Step]) -> None:
        """Shows how far the running steps are."""
        now = time.monotonic()
        status = " | ".join(f"{now - s.started:.0f} s {s.name}: {s.log.last[:48]}" for s in running)
        with self._lock:
            if self._terminal:
                print(f"\r\033[K  {status[:116]}", end="", flush=True)
            elif now - self._last_beat > HEARTBEAT:
                self._last_beat = now
                print(f"  {status}", flush=True)


# SPDX-License-Identifier: Apache-2.0
"""A Periplex worker (`periplex-machine`) and its command line client, started for one test."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import process


class MachineError(Exception):
    """The worker did not start, has ended, or refused a command."""


def program(name: str) -> Path:
    """A built program: in PERIPLEX_BUILD, or in build/release/bin below the working directory."""
    place = Path(os.environ.get("PERIPLEX_BUILD", "build/release/bin"))
    if not (place / name).exists():
        raise MachineError(f"{place / name} is not built: run `make`, or name the directory of the "
                           "programs in PERIPLEX_BUILD")
    return (place / name).resolve()


class PeriplexMachine:
    """One worker with its own runtime directory; ends, with everything in there, at exit."""

    def __init__(self, name: str = "vm1", arguments: Sequence[str] = ()) -> None:
        """`arguments` go to periplex-machine, for instance `--attach storage,id=d,image=PATH`."""
        self.name = name
        self._arguments = list(arguments)

    def __enter__(self) -> Self:
        worker = program("periplex-machine")
        self.directory = Path(tempfile.mkdtemp(prefix="periplex-lab-"))
        self.log = self.directory / "machine.log"
        command = [str(worker), "--name", self.name, "--runtime-dir", str(self.directory),
                   *self._arguments]
        self._child = process.start(command, self.log)
        try:
            self._wait_for_control(20.0)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None and self.said():
            print(f"--- periplex-machine {self.name}:\n{self.said()}")
        self._end()

    @property
    def control(self) -> Path:
        """The control API."""
        return self.directory / "control.sock"

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._child.pid

    def ended(self) -> int | None:
        """The worker's exit status; None while it runs, as it should."""
        return self._child.poll()

    def said(self) -> str:
        """What the worker wrote on its standard streams."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def qemu_arguments(self) -> list[str]:
        """What QEMU needs beside shared memory, as `periplex args` says it: a `-device` for each PCI function."""
        words = self.json("args", "qemu")["arguments"]
        return [word for flag, value in itertools.pairwise(words) if flag == "-device" for word in (flag, value)]

    def cli(self, *words: str, timeout: float = 60.0) -> str:
        """Runs `periplex --control … WORDS`; its output."""
        command = [str(program("periplex")), "--control", str(self.control), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise MachineError(f"{' '.join(command)}: status {done.returncode}\n"
                               f"{done.stdout}{done.stderr}--- the machine:\n{self.said()}")
        return done.stdout

    def json(self, *words: str) -> Any:
        """Runs `periplex --json WORDS`; the value it printed."""
        return json.loads(self.cli("--json", *words))

    def _wait_for_control(self, timeout: float) -> None:
        """Returns when the worker listens; the controllers' sockets are there by then."""
        deadline = time.monotonic() + timeout
        while not _is_listening(self.control):
            if self._child.poll() is not None:
                raise MachineError(f"periplex-machine ended with status {self._child.returncode}:\n"
                                   f"{self.said()}")
            if time.monotonic() > deadline:
                raise MachineError(f"no control socket in {self.directory} after {timeout:g} s:\n"
                                   f"{self.said()}")
            time.sleep(0.01)

    def _end(self) -> None:
        process.stop(self._child, patience=3.0)
        shutil.rmtree(self.directory, ignore_errors=True)


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True

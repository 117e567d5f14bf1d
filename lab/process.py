# SPDX-License-Identifier: Apache-2.0
"""Child processes that never outlive the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start(command: list[str], stderr: IO[bytes] | Path, inherited: tuple[int, ...] = ()
          ) -> subprocess.Popen[bytes]:
    """Starts `command` in a process group of its own; the kernel kills it when we die.

    `stderr` takes both its output streams; `inherited` are descriptors it gets by number.
    """
    handle = stderr.open("ab") if isinstance(stderr, Path) else stderr
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle,
                                pass_fds=inherited, process_group=0, preexec_fn=_leash())
    finally:
        if isinstance(stderr, Path):
            handle.close()


def stop(child: subprocess.Popen[bytes], patience: float = 0.0) -> int:
    """Ends `child` and its group: SIGTERM and `patience` seconds first if given, then SIGKILL."""
    if patience and child.poll() is None:
        child.terminate()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return child.wait()


def _leash() -> Callable[[], None]:
    parent = os.getpid()

    def apply() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before prctl
            os._exit(1)

    return apply

# SPDX-License-Identifier: Apache-2.0
"""The lab's cache: directories that are made once and then only read.

An entry is made in a temporary directory beside its final place and renamed when complete, under a
file lock, so that two processes may ask for the same entry at once and neither sees half of it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def root() -> Path:
    """The cache directory: PERIPLEX_LAB_CACHE, else $XDG_CACHE_HOME/periplex-lab."""
    chosen = os.environ.get("PERIPLEX_LAB_CACHE")
    if chosen:
        path = Path(chosen)
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "periplex-lab"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def key(*parts: object) -> str:
    """A short name for what was made from `parts`; equal parts give equal names."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def say(text: str) -> None:
    """One line of progress for the person who waits."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the lock called `name` against other processes; waits for it as long as needed."""
    path = root() / "locks" / f"{name.replace('/', '_')}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that prepares {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def entry(name: str, fill: Callable[[Path], None]) -> Path:
    """The directory `name` in the cache; `fill(directory)` makes its contents the first time."""
    final = root() / name
    if final.is_dir():
        return final
    with locked(name):
        if final.is_dir():
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
        try:
            fill(partial)
            partial.chmod(0o755)
            partial.rename(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return final


def main() -> None:
    """`python3 -m lab.cache [--clear]`: says where the cache is, or empties it."""
    parser = argparse.ArgumentParser(prog="lab.cache", description=main.__doc__)
    parser.add_argument("--clear", action="store_true", help="remove everything in the cache")
    if parser.parse_args().clear:
        shutil.rmtree(root())
    else:
        print(root())


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Disk images on the host."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from lab.binaries import run_private
from lab.packages import Suites

MIB = 1 << 20


def empty(path: Path, size: int) -> Path:
    """A sparse image of `size` bytes."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def filled(path: Path, size: int, seed: int = 1) -> Path:
    """An image full of bytes that follow from `seed`."""
    generator = random.Random(seed)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(generator.randbytes(MIB))
        file.write(generator.randbytes(size % MIB))
    return path


def sha256(path: Path) -> str:
    """The checksum of a whole file, as sha256sum prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_ext4(image: Path, offset: int, name: str) -> bytes:
    """A file out of an ext4 file system that starts `offset` bytes into `image`."""
    root = Suites("bookworm").unpack(["e2fsprogs"], wanted=lambda p: p in ("e2fsprogs", "zlib1g")
                                     or p.startswith("lib"))
    return run_private(root, "sbin/debugfs", "-R", f"cat {name}", f"{image}?offset={offset}")

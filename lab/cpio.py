# SPDX-License-Identifier: Apache-2.0
"""Writes the kernel's initramfs archive format ("newc" cpio), the same bytes for the same contents.

Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from pathlib import PurePosixPath


class Archive:
    """A file tree in memory. Parents appear by themselves; owner is root, times are 0."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes, int]] = {}  # path: (mode, data, device number)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file; replaces an earlier one at the same path."""
        self._add(path, stat.S_IFREG | mode, data)

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link, unless something is already there."""
        if path.strip("/") not in self._entries:
            self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def directory(self, path: str) -> None:
        """An empty directory (a mount point)."""
        self._add(path, stat.S_IFDIR | 0o755, b"")

    def character_device(self, path: str, major: int, minor: int) -> None:
        """A device node; the kernel wants /dev/console before anything is mounted."""
        self._add(path, stat.S_IFCHR | 0o600, b"", major << 8 | minor)

    def __contains__(self, path: str) -> bool:
        return path.strip("/") in self._entries

    def bytes(self) -> bytes:
        """The archive."""
        out = bytearray()
        for inode, (path, (mode, data, device)) in enumerate(sorted(self._entries.items()), 1):
            _append(out, path, inode, mode, data, device)
        _append(out, "TRAILER!!!", 0, 0, b"", 0)
        return bytes(out)

    def _add(self, path: str, mode: int, data: bytes, device: int = 0) -> None:
        name = path.strip("/")
        for parent in PurePosixPath(name).parents:
            if str(parent) != "." and str(parent) not in self._entries:
                self._entries[str(parent)] = (stat.S_IFDIR | 0o755, b"", 0)
        self._entries[name] = (mode, data, device)


def _append(out: bytearray, path: str, inode: int, mode: int, data: bytes, device: int) -> None:
    name = path.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 0xFF, len(name), 0]
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += bytes(-len(out) % 4)
    out += data
    out += bytes(-len(out) % 4)

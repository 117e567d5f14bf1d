# SPDX-License-Identifier: Apache-2.0
"""Writes a small FAT16 file system, for firmware to read.

Source: Microsoft, FAT: General Overview of On-Disk Format, version 1.03.
"""

from __future__ import annotations

import struct

SECTOR = 512
CLUSTER = 4 * SECTOR
_RESERVED, _FATS, _ROOT_ENTRIES = 1, 2, 512
_END = 0xFFFF


def image(size: int, files: dict[str, bytes], directories: tuple[str, ...] = ()) -> bytes:
    """An unpartitioned FAT16 volume. `files`: 8.3 paths, at most in one of `directories` deep."""
    sectors = size // SECTOR
    fat_sectors = -(-(sectors // (CLUSTER // SECTOR) + 2) * 2 // SECTOR)
    volume = _Volume()
    tree: dict[str, list[bytes]] = {"": []} | {name: [] for name in directories}
    for path, data in sorted(files.items()):
        parent, _, name = path.rpartition("/")
        tree[parent].append(_entry(name, 0x20, volume.store(data), len(data)))
    for name in directories:
        dots = [_entry(".", 0x10, volume.next_cluster, 0), _entry("..", 0x10, 0, 0)]
        tree[""].append(_entry(name, 0x10, volume.store(b"".join(dots + tree[name])), 0))
    root = b"".join(tree[""]).ljust(_ROOT_ENTRIES * 32, b"\0")
    fat = struct.pack(f"<{len(volume.fat)}H", *volume.fat).ljust(fat_sectors * SECTOR, b"\0")
    out = _boot_sector(sectors, fat_sectors) + fat * _FATS + root + volume.data
    if len(out) > size or not 4085 <= (sectors - 65) // (CLUSTER // SECTOR) < 65525:
        raise ValueError("the files do not fit, or the size is none of FAT16 with 2 KiB clusters")
    return out.ljust(size, b"\0")


class _Volume:
    """The FAT and the data area behind it."""

    def __init__(self) -> None:
        self.fat = [0xFFF8, _END]
        self.data = b""

    @property
    def next_cluster(self) -> int:
        return len(self.fat)

    def store(self, data: bytes) -> int:
        """Appends `data`; its first cluster."""
        first = self.next_cluster
        count = max(1, -(-len(data) // CLUSTER))
        self.fat += [*range(first + 1, first + count), _END]
        self.data += data.ljust(count * CLUSTER, b"\0")
        return first


def _boot_sector(sectors: int, fat_sectors: int) -> bytes:
    small, large = (sectors, 0) if sectors < 0x10000 else (0, sectors)
    head = struct.pack("<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"PERIPLEX", SECTOR,
                       CLUSTER // SECTOR, _RESERVED, _FATS, _ROOT_ENTRIES, small, 0xF8,
                       fat_sectors, 63, 255, 0, large)
    head += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x50455249, b"PERIPLEX   ", b"FAT16   ")
    return head.ljust(510, b"\0") + b"\x55\xaa"


def _entry(name: str, attributes: int, cluster: int, size: int) -> bytes:
    stem, _, suffix = name.partition(".") if name.strip(".") else (name, "", "")
    short = stem.upper().ljust(8).encode() + suffix.upper().ljust(3).encode()
    return struct.pack("<11sB10xHHHI", short, attributes, 0, 0x5A21, cluster, size)

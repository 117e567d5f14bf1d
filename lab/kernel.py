# SPDX-License-Identifier: Apache-2.0
"""Debian's stock kernels, unpacked into the cache, and the order in which their modules load."""

from __future__ import annotations

import lzma
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache
from lab.packages import PackageError, Suites


def debian_kernel(suite: str = "bookworm") -> Kernel:
    """The kernel that `linux-image-amd64` of a Debian suite means today (bookworm: Linux 6.1)."""
    root = Suites(suite).unpack(["linux-image-amd64"], wanted=lambda p: p.startswith("linux-"))
    images = sorted(root.glob("boot/vmlinuz-*"))
    if not images:
        raise PackageError(f"linux-image-amd64 of {suite} brought no kernel image")
    version = images[-1].name.removeprefix("vmlinuz-")
    for place in ("lib/modules", "usr/lib/modules"):
        if (root / place / version).is_dir():
            return Kernel(version, images[-1], root / place / version)
    raise PackageError(f"linux-image-amd64 of {suite} brought no modules for {version}")


@dataclass
class Kernel:
    """One kernel: its image and its module tree."""

    version: str
    image: Path
    modules: Path  # .../lib/modules/VERSION
    _files: dict[str, Path] = field(default_factory=dict, repr=False)

    def load_order(self, names: list[str]) -> list[Path]:
        """The files of `names` with everything they depend on, each after its dependencies.

        Modules that are built into the kernel are left out. The dependencies come from each
        module's own `depends=` and `softdep=pre:`, which is where depmod takes them from.
        """
        order: list[Path] = []
        seen: set[str] = set()

        def visit(name: str, needed: bool) -> None:
            name = name.replace("-", "_")
            if not name or name in seen or name in self._built_in():
                return
            seen.add(name)
            file = self._index().get(name)
            if file is None:
                if needed:
                    raise PackageError(f"kernel {self.version} has no module {name}")
                return
            hard, soft = _dependencies(self.read(file))
            for dependency in hard:
                visit(dependency, True)
            for dependency in soft:
                visit(dependency, False)
            order.append(file)

        for name in names:
            visit(name, True)
        return order

    def elf(self) -> Path:
        """The kernel as ELF, which QEMU starts through PVH: the guest need not unpack it (3 s).

        It is the same kernel, unpacked here, once. What is not packed with xz stays as it is.
        """
        packed = _payload(self.image.read_bytes())
        if not packed.startswith(b"\xfd7zXZ\0"):
            return self.image

        def fill(directory: Path) -> None:
            # A length word follows the xz stream: a decompressor object ignores it.
            (directory / "vmlinux").write_bytes(lzma.LZMADecompressor().decompress(packed))

        return cache.entry(f"kernel/{self.version}-{cache.key(self.image)}", fill) / "vmlinux"

    @staticmethod
    def read(file: Path) -> bytes:
        """The module itself, decompressed."""
        data = file.read_bytes()
        return lzma.decompress(data) if file.suffix == ".xz" else data

    def _index(self) -> dict[str, Path]:
        if not self._files:
            for file in sorted(self.modules.rglob("*.ko*")):
                self._files[file.name.partition(".ko")[0].replace("-", "_")] = file
        return self._files

    def _built_in(self) -> set[str]:
        listed = (self.modules / "modules.builtin").read_text()
        return {Path(line).stem.replace("-", "_") for line in listed.split()}


def _dependencies(module: bytes) -> tuple[list[str], list[str]]:
    """(must be loaded before, should be loaded before), from the section .modinfo."""
    hard = re.search(rb"\0depends=([^\0]*)\0", module)
    soft = re.findall(rb"\0softdep=pre: ?([^\0]*)\0", module)
    return (hard.group(1).decode().split(",") if hard else [],
            [name for text in soft for name in text.decode().split("post:")[0].split()])


def _payload(image: bytes) -> bytes:
    """The packed kernel inside a bzImage: setup_sects, payload_offset and payload_length.

    Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
    """
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    return image[start:start + length]

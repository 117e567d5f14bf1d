# SPDX-License-Identifier: Apache-2.0
"""Programs from Debian packages, with the shared libraries they need, for use inside a guest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lab.cpio import Archive
from lab.packages import PackageError, Suites

_BIN = ("usr/sbin", "usr/bin", "sbin", "bin")
_LIB = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_LOADER = ("lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2")


def busybox(suite: str = "bookworm") -> Path:
    """Debian's static busybox."""
    root = Suites(suite).unpack(["busybox-static"], wanted=lambda p: p == "busybox-static")
    return _find(root, "busybox", _BIN)


def applets(program: Path) -> list[str]:
    """The commands that this busybox can be."""
    return subprocess.run([program, "--list"], capture_output=True, text=True,
                          check=True).stdout.split()


def add_programs(archive: Archive, package: str, names: tuple[str, ...],
                 suite: str = "bookworm") -> None:
    """Puts the programs `names` of `package` into /usr/bin of the archive, with their libraries."""
    root = Suites(suite).unpack([package], wanted=lambda p: p in (package, "zlib1g")
                                or p.startswith("lib"))
    loader = next((root / path for path in _LOADER if (root / path).exists()), None)
    for name in names:
        program = _find(root, name, _BIN)
        archive.file(f"usr/bin/{name}", program.read_bytes(), 0o755)
        if b"ld-linux-x86-64.so.2" not in program.read_bytes()[:4096]:
            continue  # static
        if loader is None:
            raise PackageError(f"the dependencies of {package} brought no dynamic loader")
        archive.file("lib64/ld-linux-x86-64.so.2", loader.read_bytes(), 0o755)
        for library in _libraries(root, loader, program):
            archive.file(f"usr/lib/x86_64-linux-gnu/{library.name}", library.read_bytes(), 0o755)


def add_built(archive: Archive, program: Path) -> None:
    """Puts a program that was built on this machine into /usr/bin of the archive, with this machine's libraries."""
    archive.file(f"usr/bin/{program.name}", program.read_bytes(), 0o755)
    loader = Path("/", _LOADER[0])
    archive.file(_LOADER[0], loader.read_bytes(), 0o755)
    shown = subprocess.run([loader, "--list", program], capture_output=True, text=True, check=False)
    if "not found" in shown.stdout or shown.returncode != 0:
        raise PackageError(f"libraries of {program} are missing:\n{shown.stdout}{shown.stderr}")
    for file in re.findall(r"=> (/\S+)", shown.stdout):
        if not file.endswith("ld-linux-x86-64.so.2"):
            archive.file(f"usr/lib/x86_64-linux-gnu/{Path(file).name}", Path(file).read_bytes(), 0o755)


def run_private(root: Path, program: str, *arguments: str) -> bytes:
    """Runs a program of unpacked packages here, with their loader and libraries; what it printed."""
    loader = next((root / path for path in _LOADER if (root / path).exists()), None)
    if loader is None:
        raise PackageError(f"the packages under {root} brought no dynamic loader")
    path = ":".join(str(root / directory) for directory in _LIB)
    done = subprocess.run([loader, "--library-path", path, root / program, *arguments], capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise PackageError(f"{program} {' '.join(arguments)} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def _libraries(root: Path, loader: Path, program: Path) -> list[Path]:
    """What the loader of the unpacked packages would load for `program`."""
    path = ":".join(str(root / directory) for directory in _LIB)
    shown = subprocess.run([loader, "--library-path", path, "--list", program],
                           capture_output=True, text=True, check=False)
    if "not found" in shown.stdout or shown.returncode != 0:
        raise PackageError(f"libraries of {program.name} are missing:\n"
                           f"{shown.stdout}{shown.stderr}")
    return [Path(file) for file in re.findall(r"=> (\S+)", shown.stdout)
            if not file.endswith("ld-linux-x86-64.so.2")]


def _find(root: Path, name: str, places: tuple[str, ...]) -> Path:
    for place in places:
        if (root / place / name).is_file():
            return root / place / name
    raise PackageError(f"no package under {root} brought the program {name}")

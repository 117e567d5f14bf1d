# SPDX-License-Identifier: Apache-2.0
"""A QEMU that can be a vfio-user client (10.1 or newer), and the firmware that goes with it.

The machine's own QEMU is used when it is new enough. Otherwise Debian's newest one is unpacked into
the cache and started through its own dynamic loader, so that it runs on an older Debian.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import cache
from lab.packages import PackageError, Suites

_WRAPPER = """#!/bin/sh
# QEMU with the libraries it was built for, whatever the machine itself runs.
here=$(dirname "$(readlink -f "$0")")
exec "$here/{loader}" --library-path "$here/{libraries}" "$here/usr/bin/qemu-system-x86_64" \\
    -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" \\
    -L "$here/usr/lib/ipxe/qemu" -L "$here/usr/share/ipxe/qemu" "$@"
"""


@dataclass(frozen=True)
class Qemu:
    """A program that takes QEMU's arguments."""

    program: Path
    private: bool  # from the cache, not the machine's own

    def version(self) -> str:
        """What `--version` says in its first line."""
        return _output([str(self.program), "--version"]).partition("\n")[0]


@dataclass(frozen=True)
class Ovmf:
    """UEFI firmware: code that is only read, and a template of the variable store."""

    code: Path
    variables: Path


@functools.cache
def find_qemu() -> Qemu:
    """The machine's QEMU if it lists vfio-user-pci, else one from the cache, fetched if need be."""
    own = shutil.which("qemu-system-x86_64")
    if own and _is_vfio_user_client(own):
        return Qemu(Path(own), private=False)
    directory = _unpacked()
    program = directory / "qemu-system-x86_64"
    with cache.locked("qemu-wrapper"):
        if not program.exists():
            _write_wrapper(directory, program)
    return Qemu(program, private=True)


def module_environment() -> dict[str, str]:
    """What QEMU needs in its environment to find devices that Debian keeps in modules, such as usb-redir."""
    qemu = find_qemu()
    if not qemu.private:
        return {}
    return {"QEMU_MODULE_DIR": str(qemu.program.parent / "usr/lib/x86_64-linux-gnu/qemu")}


@functools.cache
def find_ovmf() -> Ovmf:
    """OVMF without Secure Boot, 4 MiB flash, of the same suite as the private QEMU."""
    directory = Suites("trixie", "trixie-backports").unpack(
        ["ovmf"], wanted=lambda package: package == "ovmf") / "usr/share/OVMF"
    found = Ovmf(directory / "OVMF_CODE_4M.fd", directory / "OVMF_VARS_4M.fd")
    for file in (found.code, found.variables):
        if not file.exists():
            raise PackageError(f"Debian's package ovmf holds no {file.name} any more")
    return found


def _unpacked() -> Path:
    suites = Suites("trixie", "trixie-backports")
    return suites.unpack(["qemu-system-x86"])


def _write_wrapper(directory: Path, program: Path) -> None:
    loaders = [path for pattern in ("lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2")
               if (path := directory / pattern).exists()]
    if not loaders:
        raise PackageError("the unpacked QEMU has no dynamic loader beside it")
    libraries = ":".join(f"$here/{path}" for path in (
        "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    text = _WRAPPER.format(loader=loaders[0].relative_to(directory),
                           libraries=libraries.removeprefix("$here/"))
    partial = program.with_suffix(".partial")
    partial.write_text(text)
    partial.chmod(0o755)
    if not _is_vfio_user_client(str(partial)):
        raise PackageError("the QEMU of trixie-backports does not start here or has no "
                           f"vfio-user-pci; try: {partial} -device help")
    partial.rename(program)


def _is_vfio_user_client(program: str) -> bool:
    return '"vfio-user-pci"' in _output([program, "-device", "help"])


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout


def main() -> int:
    """`python3 -m lab.qemu --path | --prepare`."""
    parser = argparse.ArgumentParser(prog="lab.qemu", description="a QEMU with vfio-user-pci")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--path", action="store_true", help="print the program, fetched if needed")
    what.add_argument("--prepare", action="store_true", help="fetch QEMU and OVMF, print versions")
    arguments = parser.parse_args()
    try:
        qemu = find_qemu()
        if arguments.path:
            print(qemu.program)
        else:
            find_ovmf()
            print(f"{qemu.version()} ({'private' if qemu.private else 'system'})")
    except Exception as error:  # the border to the person at the terminal
        print(f"lab.qemu: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

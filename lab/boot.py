# SPDX-License-Identifier: Apache-2.0
"""What a guest starts from: Debian's kernel with our initramfs, or firmware."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from lab import initramfs
from lab.kernel import debian_kernel
from lab.qemu import find_ovmf

KERNEL_LINE = "console=ttyS0 panic=-1 tsc=reliable cryptomgr.notests raid=noautodetect"


@dataclass
class Boot:
    """QEMU arguments, and whether our init answers in the guest."""

    arguments: list[str] = field(default_factory=list)
    has_shell: bool = False


def linux(contents: initramfs.Contents = initramfs.BASIC, suite: str = "bookworm",
          extra: str = "") -> Boot:
    """Debian's stock kernel of `suite` with our initramfs; `extra` goes on the kernel line."""
    kernel = debian_kernel(suite)
    archive = initramfs.build(kernel, contents)
    return Boot(["-kernel", str(kernel.elf()), "-initrd", str(archive),
                 "-append", f"{KERNEL_LINE} {extra}".strip()], has_shell=True)


def seabios() -> Boot:
    """The BIOS alone: it starts the first disk that it finds."""
    return Boot()


def ovmf(scratch: Path) -> Boot:
    """UEFI firmware with a fresh variable store in the directory `scratch`."""
    firmware = find_ovmf()
    variables = scratch / "ovmf-variables.fd"
    shutil.copy(firmware.variables, variables)
    return Boot(["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={firmware.code}",
                 "-drive", f"if=pflash,format=raw,unit=1,file={variables}"])


def accelerator() -> list[str]:
    """TCG, which works everywhere and alike; PERIPLEX_LAB_ACCEL names another, such as `kvm`."""
    chosen = os.environ.get("PERIPLEX_LAB_ACCEL", "tcg")
    return ["-accel", chosen, *(["-cpu", "host"] if chosen == "kvm" else [])]


def main() -> int:
    """`python3 -m lab.guest [--run SCRIPT] [QEMU ARGUMENT…]`: boots Linux, runs SCRIPT."""
    from lab.guest import Guest, GuestError  # pylint: disable=import-outside-toplevel
    parser = argparse.ArgumentParser(prog="lab.guest", description=main.__doc__)
    parser.add_argument("--suite", default="bookworm", help="whose kernel (default: bookworm)")
    parser.add_argument("--storage", action="store_true", help="with mkfs.ext4, sfdisk, sg_*")
    parser.add_argument("--run", default="uname -a; cat /proc/partitions", metavar="SCRIPT")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for the script")
    parser.add_argument("--console", action="store_true", help="print the console afterwards")
    arguments, rest = parser.parse_known_args()
    contents = initramfs.STORAGE if arguments.storage else initramfs.BASIC
    try:
        with Guest("guest", linux(contents, arguments.suite), rest) as guest:
            print(f"booted in {guest.boot_seconds:.1f} s", file=sys.stderr)
            status, output = guest.run(arguments.run, arguments.timeout)
            print(output, end="")
            if arguments.console:
                print(guest.console.text())
            return status
    except Exception as error:  # the border to the person at the terminal
        kind = "" if isinstance(error, GuestError) else f"{type(error).__name__}: "
        print(f"lab.guest: {kind}{error}", file=sys.stderr)
        return 1

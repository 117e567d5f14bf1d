# SPDX-License-Identifier: Apache-2.0
"""What a guest starts from: Debian's kernel with our initramfs, or firmware."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab import initramfs
from lab.binaries import add_built, run_private
from lab.cpio import Archive
from lab.kernel import debian_kernel
from lab.packages import Suites
from lab.qemu import find_ovmf

# What GRUB needs to read a file from a stick and to say so on the serial line.
GRUB_MODULES = ("serial", "terminal", "uhci", "ehci", "usbms", "fat", "ls", "cat", "echo", "hashsum", "gcry_sha256")
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


def with_built(boot: Boot, programs: Iterable[Path], scratch: Path) -> Boot:
    """`boot` of Linux with programs that were built on this machine in /usr/bin of the guest."""
    addition = Archive()
    for program in programs:
        add_built(addition, program)
    return with_archive(boot, addition, scratch)


def with_archive(boot: Boot, addition: Archive, scratch: Path) -> Boot:
    """`boot` of Linux with more files. The kernel unpacks archives that stand one behind the other; what comes later
    wins."""
    arguments = list(boot.arguments)
    place = arguments.index("-initrd") + 1
    both = Path(arguments[place]).read_bytes() + addition.bytes()
    arguments[place] = str(scratch / "initramfs.cpio")
    Path(arguments[place]).write_bytes(both)
    return Boot(arguments, boot.has_shell)


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


def u_boot() -> Boot:
    """U-Boot for QEMU's PC, in place of a BIOS; a key takes it to its prompt `=> `. It has a driver for EHCI."""
    return Boot(["-bios", str(_u_boot_files() / "usr/lib/u-boot/qemu-x86/u-boot.rom")])


def grub(scratch: Path, script: str) -> Boot:
    """GRUB with drivers for UHCI and EHCI, from a disk that is not behind them; it runs `script`."""
    root = _grub_files()
    modules = root / "usr/lib/grub/i386-pc"
    core, disk, early = scratch / "core.img", scratch / "grub.img", scratch / "grub.cfg"
    early.write_text(script)
    run_private(root, "usr/bin/grub-mkimage", "-O", "i386-pc", "-d", str(modules), "-c", str(early), "-p", "/",
                "-o", str(core), *GRUB_MODULES)
    disk.write_bytes(((modules / "boot.img").read_bytes() + core.read_bytes()).ljust(1 << 20, b"\0"))
    return Boot(["-drive", f"if=none,id=grub,format=raw,file={disk}",
                 "-device", "ide-hd,drive=grub,bus=ide.0,bootindex=0"])


def prepare() -> None:
    """Fetches and makes what the functions above need, so that no test's deadline pays for it."""
    for contents in initramfs.ALL:
        linux(contents)
    find_ovmf()
    _u_boot_files()
    _grub_files()


def _u_boot_files() -> Path:
    return Suites("bookworm").unpack(["u-boot-qemu"], wanted=lambda package: package == "u-boot-qemu")


def _grub_files() -> Path:
    return Suites("bookworm").unpack(["grub-common", "grub-pc-bin"],
                                     wanted=lambda package: package.startswith(("grub-", "lib")))


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

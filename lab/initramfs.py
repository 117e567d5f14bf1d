# SPDX-License-Identifier: Apache-2.0
"""The guest's whole user space: busybox, kernel modules, programs a test wants, and our init."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab import binaries, cache
from lab.cpio import Archive
from lab.kernel import Kernel

AGENT = Path(__file__).with_name("guest_init.sh")

CHANNEL_MODULES = ["virtio_pci", "virtio_console"]
# ehci_pci before uhci_hcd: Linux complains about the other order.
USB_MODULES = ["xhci_pci", "ehci_pci", "uhci_hcd", "usb_storage", "uas", "sd_mod", "sr_mod", "sg",
               "usbhid", "hid_generic", "evdev"]
# crc32c_generic: what ext4 asks for by the alias "crc32c".
FILE_SYSTEM_MODULES = ["crc32c_generic", "ext4", "vfat", "nls_cp437", "nls_ascii"]

# What a test may ask for by package: name -> programs.
STORAGE_PROGRAMS = {
    "e2fsprogs": ("mkfs.ext4", "e2fsck"),
    "eject": ("eject",),
    "fdisk": ("sfdisk",),
    "sg3-utils": ("sg_raw", "sg_inq", "sg_readcap", "sg_sync", "sg_start", "sg_turs",
                  "sg_requests", "sg_modes", "sg_reset"),
}
SOUND_PROGRAMS = {"alsa-utils": ("aplay", "arecord")}

# usb-storage waits a second before it looks at a disk, for sticks that need it; ours do not.
_OPTIONS = {"usb-storage.ko": "delay_use=0"}


@dataclass(frozen=True)
class Contents:
    """What goes into an initramfs beside busybox; equal contents share one file in the cache."""

    modules: tuple[str, ...] = (*USB_MODULES, *FILE_SYSTEM_MODULES)
    programs: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (package, (program, ...))
    suite: str = "bookworm"  # whose packages those are


BASIC = Contents()
STORAGE = Contents(programs=tuple(STORAGE_PROGRAMS.items()))
SOUND = Contents((*USB_MODULES, "snd_usb_audio"), tuple(SOUND_PROGRAMS.items()))
SERIAL = Contents((*USB_MODULES, "cdc_acm", "ftdi_sio"))  # ours, and that of QEMU's usb-serial
# A computer on a network, with USB devices to give and to take.
WORKSTATION = Contents((*USB_MODULES, "virtio_net", "usbip_host", "vhci_hcd"), (("usbip", ("usbip", "usbipd")),))
# One that offers a device over usbredir, with a usbredirect that can (0.13 of bookworm confuses identical devices).
USBREDIRECT = Contents((*USB_MODULES, "virtio_net"), (("usbredirect", ("usbredirect",)),), "trixie")
# A workstation with peripherals. udev tells programs what is plugged in and pulled.
SEAT = Contents((*USB_MODULES, "snd_usb_audio", "psmouse", "virtio_net"), (("udev", ("udevadm",)),))
# A seat whose peripherals other programs may take as well.
SHARED_SEAT = Contents((*USB_MODULES, "virtio_net", "usbip_host"),
                       (("udev", ("udevadm",)), ("usbip", ("usbip", "usbipd"))))
# One whose network loses packets: both what comes in and what goes out.
SEAT_NETWORK = Contents((*SEAT.modules, "sch_netem", "sch_ingress", "cls_matchall", "act_mirred", "ifb"),
                        (*SEAT.programs, ("iproute2", ("tc",))))
# One that can be a USB device of its own: gadgets behind a host controller in software.
SEAT_GADGET = Contents((*SEAT.modules, "dummy_hcd", "libcomposite", "usb_f_printer"), SEAT.programs)
PRINTING = Contents((*USB_MODULES, "usblp"))
ALL = (BASIC, STORAGE, SOUND, SERIAL, WORKSTATION, USBREDIRECT, SEAT, SHARED_SEAT, SEAT_NETWORK, SEAT_GADGET, PRINTING)


def build(kernel: Kernel, contents: Contents = BASIC) -> Path:
    """The archive for `kernel`; made once, then taken from the cache."""
    code = [Path(__file__).with_name(name).read_bytes()
            for name in ("guest_init.sh", "cpio.py", "binaries.py", "initramfs.py")]
    name = f"initramfs/{kernel.version}-{cache.key(kernel.image, contents, *code)}"

    def fill(directory: Path) -> None:
        cache.say(f"building an initramfs for Linux {kernel.version}")
        (directory / "initramfs.cpio").write_bytes(_archive(kernel, contents).bytes())

    return cache.entry(name, fill) / "initramfs.cpio"


def _archive(kernel: Kernel, contents: Contents) -> Archive:
    archive = Archive()
    program = binaries.busybox()
    archive.file("bin/busybox", program.read_bytes(), 0o755)
    archive.file("init", AGENT.read_bytes(), 0o755)
    archive.character_device("dev/console", 5, 1)
    for directory in ("proc", "sys", "dev", "run", "tmp", "mnt", "root"):
        archive.directory(directory)
    for package, names in contents.programs:
        binaries.add_programs(archive, package, names, contents.suite)
    for applet in binaries.applets(program):
        if f"usr/bin/{applet}" not in archive:
            archive.symlink(f"bin/{applet}", "/bin/busybox")
    order = kernel.load_order([*CHANNEL_MODULES, *contents.modules])
    for file in order:
        archive.file(f"lib/modules/{file.name.removesuffix('.xz')}", kernel.read(file))
    loaded = [file.name.removesuffix(".xz") for file in order]
    archive.file("lib/modules/order", "".join(
        f"/lib/modules/{name} {_OPTIONS.get(name, '')}\n" for name in loaded).encode())
    return archive

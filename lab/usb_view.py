# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest sees of USB: its controller, its disks, its devices."""

from __future__ import annotations

from lab.guest import Guest


def controller(guest: Guest) -> str:
    """The PCI address of the guest's xHCI controller, such as 0000:00:02.0."""
    return guest.check("""
        for d in /sys/bus/pci/devices/*; do
            [ "$(cat $d/class)" = 0x0c0330 ] && basename $d && exit 0
        done; echo "no xHCI controller"; exit 1""")


def disks(guest: Guest) -> list[str]:
    """Names of the guest's USB disks, such as sda."""
    return guest.check("""
        for d in /sys/block/sd*; do
            case $(readlink -f $d) in */usb*) basename $d ;; esac
        done; true""").split()


def wait_disk(guest: Guest, size: int | None = None, timeout: float = 30.0) -> str:
    """The name of the USB disk of `size` bytes (any if None), once its device node exists."""
    wanted = "" if size is None else f'[ "$(cat $d/size)" = {size // 512} ] || continue'
    return guest.until(f"""
        for d in /sys/block/sd*; do
            case $(readlink -f $d) in */usb*) ;; *) continue ;; esac
            {wanted}
            [ -b /dev/${{d##*/}} ] && basename $d && exit 0
        done; cat /proc/partitions; exit 1""", timeout)


def generic(guest: Guest, disk: str) -> str:
    """The SCSI generic node of a disk, such as /dev/sg0; unlike the disk it opens for anything."""
    return "/dev/" + guest.check(f"ls /sys/block/{disk}/device/scsi_generic")


def wait_no_disk(guest: Guest, timeout: float = 30.0) -> None:
    """Returns when the guest has no USB disk any more."""
    guest.until("""
        for d in /sys/block/sd*; do
            case $(readlink -f $d) in */usb*) echo "$d is still there"; exit 1 ;; esac
        done; true""", timeout)


def usb_device(guest: Guest, disk: str) -> str:
    """The sysfs directory of the USB device that a disk is on."""
    return guest.check(f"""
        d=$(readlink -f /sys/block/{disk}/device)
        while [ "$d" != / ]; do
            if [ -e $d/bDeviceClass ]; then echo $d; exit 0; fi
            d=$(dirname $d)
        done; exit 1""")


def complaints(guest: Guest, since: int = 0) -> list[str]:
    """Kernel messages that no healthy controller causes, from console position `since` on."""
    bad = ("WARN", "BUG", "Oops", "HC died", "not responding", "Host halt failed", "timed out",
           "xHCI host controller not", "WARNING", "Trace", "hung")
    return [line for line in guest.console.text(since).splitlines()
            if any(word in line for word in bad)]

# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest sees of USB: its controller, its disks, its devices."""

from __future__ import annotations

from dataclasses import dataclass

from lab.controller import CONTROLLERS, XHCI, Controller
from lab.guest import Guest, GuestError


@dataclass(frozen=True)
class PciFunction:
    """A controller as the guest sees it."""

    address: str  # such as 0000:00:02.0
    driver: str  # Linux's; empty if none has taken it


def functions(guest: Guest, *kinds: Controller) -> list[PciFunction]:
    """The guest's USB controllers of these kinds, all if there are none, in the order of their addresses."""
    shown = guest.check("""
        for d in /sys/bus/pci/devices/*; do
            echo "$(cat $d/class) $(basename $d) $(basename "$(readlink $d/driver)")"
        done""")
    classes = {kind.pci_class for kind in kinds or CONTROLLERS.values()}
    return [PciFunction(address, driver) for pci_class, address, driver in
            (f"{line} ".split(" ")[:3] for line in shown.splitlines()) if pci_class in classes]


def controller(guest: Guest, kind: Controller = XHCI) -> str:
    """The PCI address of the guest's first controller of this kind."""
    found = functions(guest, kind)
    if not found:
        raise GuestError(f"the guest has no {kind.name} controller")
    return found[0].address


def root_hub_driver(guest: Guest, device: str) -> str:
    """The PCI driver of the controller that leads to the USB device with this directory in sysfs."""
    return guest.check(f"basename $(readlink {device.partition('/usb')[0]}/driver)")


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


def wait_serial(guest: Guest, timeout: float = 20.0) -> str:
    """The guest's USB serial port, such as /dev/ttyACM0."""
    return guest.until("ls /dev/ttyACM* /dev/ttyUSB* 2>/dev/null | grep . || exit 1", timeout).splitlines()[0]


def wait_devices(guest: Guest, number: int, timeout: float = 30.0) -> None:
    """Returns when the guest has exactly so many USB devices beside its root hubs."""
    guest.until(f"n=$(ls -d /sys/bus/usb/devices/[0-9]*-[0-9]* 2>/dev/null | grep -vc :); "
                f"echo $n devices; [ $n = {number} ]", timeout)


def interface_driver(guest: Guest, device: str) -> str:
    """The driver that has taken a device's first interface, such as usb-storage or uas."""
    return guest.check(f"basename $(readlink -f {device}/*:1.0/driver)")


def has_streams(guest: Guest) -> bool:
    """Whether an endpoint behind the guest's xHCI has streams, as its driver's debugfs shows it."""
    guest.run("mount -t debugfs debugfs /sys/kernel/debug")
    return guest.run("ls /sys/kernel/debug/usb/xhci/*/devices/*/ep*/stream_context_array")[0] == 0


def speed(guest: Guest, device: str) -> str:
    """The Mbit/s of a USB device, from its directory in sysfs."""
    return guest.check(f"cat {device}/speed")


def sound_card(guest: Guest) -> str:
    """The sysfs directory of the USB device that is the guest's first sound card."""
    return guest.check("dirname $(readlink -f /sys/class/sound/card0/device)")


def input_device(guest: Guest, node: str) -> str:
    """The sysfs directory of the USB device behind /dev/input/eventN."""
    return guest.check(f"""
        d=$(readlink -f /sys/class/input/{node.rsplit('/', 1)[-1]})
        until [ -e $d/bDeviceClass ]; do d=$(dirname $d); done; echo $d""")


def complaints(guest: Guest, since: int = 0) -> list[str]:
    """Kernel messages that no healthy controller causes, from console position `since` on."""
    bad = ("WARN", "BUG", "Oops", "HC died", "not responding", "Host halt failed", "timed out",
           "xHCI host controller not", "WARNING", "Trace", "hung", "host controller process error",
           "host system error", "controller halted", "very bad", "fatal error", "force halt")
    return [line for line in guest.console.text(since).splitlines()
            if any(word in line for word in bad)]

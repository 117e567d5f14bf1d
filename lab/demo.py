# SPDX-License-Identifier: Apache-2.0
"""`make demo`: what a guest sees of hardware that another process serves.

Starts periplex-machine with a stick, a keyboard and a tablet, boots Debian's stock kernel in QEMU on
it, and shows the guest's side of everything. Then, on a terminal, leaves you in a shell of the guest.
"""

from __future__ import annotations

import os
import select
import sys
import tempfile
import termios
import time
import tty
from pathlib import Path

from lab import evdev, fat, usb_view
from lab.boot import linux
from lab.guest import Guest
from lab.hardware import UsbHardware, chosen
from lab.image import MIB
from lab.qemu import find_qemu

STICK = 16 * MIB
LETTER = b"This text lies on a stick that QEMU knows nothing of.\n"
ANSWER = "The guest was here."
TYPED = "Hello from the other side of a socket!"
POSITION = (12345, 23456)
LEAVE = b"\x1d"  # Ctrl-]


class Screen:
    """Numbered headings with the time since the start, and indented text below them."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._number = 0
        self.good = True

    def heading(self, text: str) -> None:
        """Begins the next part."""
        self._number += 1
        bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
        print(f"\n{bold}{self._number}. {text}{plain}  ({time.monotonic() - self._started:.1f} s)", flush=True)

    def text(self, text: str) -> None:
        """What belongs to the part."""
        for line in text.splitlines():
            print(f"   {line}", flush=True)

    def compare(self, here: object, there: object) -> None:
        """What left this side and what arrived in the guest, which must be the same."""
        self.good = self.good and here == there
        self.text(f"from here:      {here}\narrived there:  {there}{'' if here == there else '   (NOT THE SAME)'}")


def main() -> int:
    """Runs the demonstration; an exit status."""
    screen = Screen()
    screen.heading("QEMU: unmodified, its vfio-user client does the rest")
    qemu = find_qemu()
    screen.text(f"{qemu.version()}, {'from the lab cache' if qemu.private else 'the one of this machine'}")
    with tempfile.TemporaryDirectory(prefix="periplex-demo-") as directory:
        stick = Path(directory) / "stick.img"
        stick.write_bytes(fat.image(STICK, {"README.TXT": LETTER}))
        screen.heading("periplex-machine: an xHCI controller with a stick, a keyboard and a tablet")
        with chosen("demo") as hardware:
            hardware.attach_storage("stick", stick)
            hardware.attach("keyboard", "keyboard")
            hardware.attach("tablet", "tablet")
            screen.text(f"Beside shared memory, QEMU is told no more than:\n{' '.join(hardware.arguments())}")
            screen.heading("Debian's stock kernel boots (emulated processor, so give it some seconds)")
            with Guest("demo", linux(), hardware.arguments()) as guest:
                hardware.connect(guest)
                _show(screen, guest, hardware, stick)
                if sys.stdin.isatty() and sys.stdout.isatty():
                    screen.heading("A shell in the guest: look around; `exit` or Ctrl-] ends it")
                    _shell(guest)
    print("\nNothing is left running. README.md says how to attach your own QEMU.")
    return 0 if screen.good else 1


def _show(screen: Screen, guest: Guest, hardware: UsbHardware, stick: Path) -> None:
    screen.text(guest.check("uname -sr") + f", up after {guest.boot_seconds:.1f} s")

    screen.heading("The controller, as the guest's own xhci_hcd sees it")
    screen.text(guest.check(f"""
        cd /sys/bus/pci/devices/{usb_view.controller(guest)}
        echo "$(basename $PWD)  $(cat vendor):$(cat device)  class $(cat class)" \\
             " driver $(basename $(readlink driver))"
        dmesg | sed -n 's/^\\[[^]]*\\] \\(xhci_hcd .*\\)/\\1/p' | head -n 4"""))

    screen.heading("The devices")
    disk = usb_view.wait_disk(guest, STICK)
    keyboard, tablet = evdev.find_node(guest, "keyboard"), evdev.find_node(guest, "tablet")
    screen.text(guest.check("""
        for d in /sys/bus/usb/devices/*-*; do
            [ -e $d/product ] && echo "$(basename $d)  $(cat $d/speed) Mbit/s  $(cat $d/product)"
        done; true"""))

    screen.heading(f"The stick (/dev/{disk}): the guest reads it, and writes to it")
    screen.text(guest.check(f"""
        mount -t vfat /dev/{disk} /mnt && ls -l /mnt && cat /mnt/readme.txt
        echo "{ANSWER}" >/mnt/answer.txt && umount /mnt"""))
    found = ANSWER.encode() in stick.read_bytes()
    screen.good = screen.good and found
    screen.text(f"And the image file on this side {'now holds' if found else 'DOES NOT HOLD'}: {ANSWER}")

    screen.heading(f"The keyboard ({keyboard}): text typed here arrives there")
    recorder = evdev.Recorder(guest, keyboard)
    hardware.type_text(TYPED, "keyboard")
    screen.compare(TYPED, evdev.typed(recorder.wait_quiet(4 * len(TYPED))))

    screen.heading(f"The tablet ({tablet}): so does a position")
    recorder = evdev.Recorder(guest, tablet)
    hardware.move_pointer(*POSITION, "tablet")
    axes = {event.code: event.value for event in recorder.wait_quiet(3) if event.type == evdev.EV_ABS}
    screen.compare(POSITION, (axes.get(evdev.ABS_X), axes.get(evdev.ABS_Y)))


def _shell(guest: Guest) -> None:
    """Joins this terminal to a shell on the guest's serial line, until either end leaves.

    The shell is a daemon's child: what `&` starts would have Ctrl-C ignored, for good.
    """
    transcript = guest.transcript.open("rb")
    transcript.seek(0, os.SEEK_END)
    columns, rows = os.get_terminal_size()
    guest.check(f"""
        stty -F /dev/ttyS0 sane rows {rows or 24} cols {columns or 80}
        start-stop-daemon -S -b -p /run/shell.pid -x /bin/sh -- -c '
            setsid -c sh -i </dev/ttyS0 >/dev/ttyS0 2>&1; touch /run/left'""")
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    looked = time.monotonic()
    try:
        tty.setraw(terminal)
        while not guest.ended():
            if select.select([terminal], [], [], 0.03)[0]:
                typed = os.read(terminal, 4096)
                if not typed or LEAVE in typed:
                    return
                guest.console.send(typed)
            if shown := transcript.read():
                os.write(sys.stdout.fileno(), shown)
            if time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                if guest.run("[ -e /run/left ]")[0] == 0:
                    return
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        transcript.close()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Independently written drivers on our controllers: the USB stacks of SeaBIOS, OVMF, GRUB and U-Boot."""

import hashlib
import random
import re
import time
import zlib

from lab import boot, boot_sector, fat
from lab.case import GuestCase, essential
from lab.controller import EHCI, UHCI
from lab.guest import Guest
from lab.image import MIB

PROMPT = "Shell> "
HELLO = b"Periplex says hello to the firmware\r\n"


class SeaBios(GuestCase):
    """The BIOS finds a stick, starts what is on it, and reads it for what it started."""

    @essential
    def test_seabios_boots_from_a_stick(self) -> None:
        payload = random.Random(6).randbytes(512 * 200)
        disk = self.scratch / "boot.img"
        disk.write_bytes(boot_sector.image(payload).ljust(1 * MIB, b"\0"))
        hardware = self.hardware()
        hardware.attach_storage("stick", disk, removable=True)
        guest = self.boot(hardware, boot=boot.seabios())
        said = guest.wait_for(boot_sector.GREETING.decode() + r"[0-9A-F]{4}\.|READ ERROR", 60)
        self.assertEqual(said, boot_sector.checksum(payload))

    def test_seabios_boots_again_after_a_reset(self) -> None:
        payload = random.Random(7).randbytes(512 * 20)
        disk = self.scratch / "boot.img"
        disk.write_bytes(boot_sector.image(payload).ljust(1 * MIB, b"\0"))
        hardware = self.hardware()
        hardware.attach_storage("stick", disk)
        hardware.attach("keyboard", "kbd")
        guest = self.boot(hardware, boot=boot.seabios())
        since = 0
        for _ in range(3):
            guest.wait_for(re.escape(boot_sector.checksum(payload)), 60, since)
            since = guest.console.mark()
            guest.qmp.system_reset()


class Ovmf(GuestCase):
    """UEFI firmware lists and reads a FAT file system, and takes what is typed."""

    def setUp(self) -> None:
        super().setUp()
        block = random.Random(8).randbytes(256 * 1024)
        self.disk = self.scratch / "fat.img"
        self.disk.write_bytes(fat.image(32 * MIB, {
            "hello.txt": HELLO, "data/one.bin": block, "data/two.bin": block,
            "data/other.bin": block[:-1] + bytes([block[-1] ^ 1])}, ("data",)))
        self.usb = self.hardware()
        self.usb.attach_storage("stick", self.disk, removable=True)

    @essential
    def test_ovmf_lists_and_reads_a_stick(self) -> None:
        guest = self._shell()
        self.assertRegex(self._command(guest, "map -r"), r"FS0:.*PciRoot.*USB\(")
        listed = self._command(guest, "ls fs0:\\")
        self.assertRegex(listed, r"(?i)hello\.txt")
        self.assertRegex(listed, r"(?i)<DIR>.*data")
        self.assertIn(HELLO.decode().strip(), self._command(guest, "type fs0:\\hello.txt"))
        same = self._command(guest, "comp fs0:\\data\\one.bin fs0:\\data\\two.bin")
        self.assertIn("no differences", same)
        differs = self._command(guest, "comp fs0:\\data\\one.bin fs0:\\data\\other.bin")
        self.assertRegex(differs, r"(?i)difference #")

    def test_ovmf_writes_to_a_stick(self) -> None:
        guest = self._shell()
        self._command(guest, "cp fs0:\\hello.txt fs0:\\copy.txt")
        self.assertIn(HELLO.decode().strip(), self._command(guest, "type fs0:\\copy.txt"))
        self.assertEqual(self.disk.read_bytes().count(HELLO), 2, "the copy is in the image")

    @essential
    def test_ovmf_takes_a_command_from_the_usb_keyboard(self) -> None:
        self.usb.attach("keyboard", "kbd")
        guest = self._shell()
        since = guest.console.mark()
        self.usb.type_text("type fs0:\\hello.txt\n", "kbd")
        guest.wait_for(re.escape(HELLO.decode().strip()), 30, since)

    def _shell(self) -> Guest:
        guest = self.boot(self.usb, boot=boot.ovmf(self.scratch))
        guest.wait_for(r"Press .*ESC", 90)
        guest.console.send(b"\x1b")  # skips the wait for startup.nsh
        guest.wait_for(PROMPT, 30)
        return guest

    def _command(self, guest: Guest, line: str) -> str:
        """Types a line into the UEFI shell over the serial line; what the shell printed."""
        since = guest.console.mark()
        for character in line + "\r":
            guest.console.send(character.encode())
            time.sleep(0.02)  # the emulated terminal has a short queue
        guest.wait_for(PROMPT, 60, since)
        text = guest.console.text(since)
        return re.sub(r"\x1b\[[0-9;=]*[A-Za-z]", "", text).replace("\r\n", " ")


class SeaBiosOnEhci(SeaBios, controller=EHCI):
    """SeaBIOS's EHCI driver, and its UHCI driver for the keyboard behind a companion."""


class SeaBiosOnUhci(SeaBios, controller=UHCI):
    """SeaBIOS's UHCI driver."""


class OvmfOnEhci(Ovmf, controller=EHCI):
    """EDK II's EhciDxe, and its UhciDxe for the keyboard behind a companion."""


class OvmfOnUhci(Ovmf, controller=UHCI):
    """EDK II's UhciDxe."""


class Grub(GuestCase, controller=UHCI):
    """GRUB's own USB drivers, which know UHCI, OHCI and EHCI."""

    @essential
    def test_grub_reads_a_file_from_a_stick(self) -> None:
        block = random.Random(12).randbytes(256 * 1024)
        disk = self.scratch / "fat.img"
        disk.write_bytes(fat.image(32 * MIB, {"hello.txt": HELLO, "data/block.bin": block}, ("data",)))
        hardware = self.hardware()
        hardware.attach_storage("stick", disk)
        guest = self.boot(hardware, boot=boot.grub(self.scratch, """
            serial --unit=0 --speed=115200
            terminal_output serial
            ls
            cat (usb0)/hello.txt
            hashsum --hash sha256 (usb0)/data/block.bin
            echo THE END
            """))
        guest.wait_for("THE END", 60)
        self.assertIn(HELLO.decode().strip(), guest.console.text())
        self.assertIn(hashlib.sha256(block).hexdigest(), guest.console.text())


class GrubOnEhci(Grub, controller=EHCI):
    """The same at high speed."""


class UBoot(GuestCase, controller=EHCI):
    """U-Boot's EHCI driver."""

    @essential
    def test_u_boot_reads_a_file_from_a_stick(self) -> None:
        block = random.Random(13).randbytes(256 * 1024)
        disk = self.scratch / "fat.img"
        disk.write_bytes(fat.image(32 * MIB, {"hello.txt": HELLO, "data/block.bin": block}, ("data",)))
        hardware = self.hardware()
        hardware.attach_storage("stick", disk)
        guest = self.boot(hardware, boot=boot.u_boot())
        guest.wait_for("Hit any key", 60)
        guest.console.send(b" ")
        guest.wait_for(r"\n=> $", 30)
        self.assertIn("1 Storage Device(s) found", self._command(guest, "usb start"))
        self.assertIn("HELLO.TXT", self._command(guest, "fatls usb 0"))
        self.assertIn(f"{len(block)} bytes read", self._command(guest, "load usb 0 1000000 data/block.bin"))
        self.assertIn(f"{zlib.crc32(block):08x}", self._command(guest, f"crc32 1000000 {len(block):x}"))

    @staticmethod
    def _command(guest: Guest, line: str) -> str:
        since = guest.console.mark()
        guest.console.send(line.encode() + b"\r")
        guest.wait_for(r"\n=> $", 60, since)
        return guest.console.text(since)

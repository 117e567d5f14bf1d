# SPDX-License-Identifier: Apache-2.0
"""A boot sector that a BIOS starts: it reads the disk through the BIOS and reports on COM1.

Machine code for the 8086, assembled here, so that no assembler is needed. It prints a greeting,
reads `sectors` sectors that follow with INT 13h function 42h (one by one, so also the firmware's
USB stack is used that often), adds up their bytes modulo 65536, and prints the sum in hexadecimal.
"""

from __future__ import annotations

import struct

ORIGIN = 0x7C00
BUFFER = 0x8000
GREETING = b"PERIPLEX-MBR "


def image(payload: bytes) -> bytes:
    """A disk: the boot sector, then `payload` (whole sectors)."""
    assert len(payload) % 512 == 0
    return boot_sector(len(payload) // 512) + payload


def checksum(payload: bytes) -> str:
    """What the boot sector prints for `payload`, with what surrounds it."""
    return f"{GREETING.decode()}{sum(payload) & 0xFFFF:04X}."


def boot_sector(sectors: int) -> bytes:
    """The 512 bytes that the BIOS loads to 0000:7C00."""
    code = _Code()
    code.put("fa 31c0 8ed8 8ec0 8ed0 bc007c fb")       # cli; ds=es=ss=0; sp=7c00; sti
    code.put("8816").address("drive")                   # mov [drive], dl
    code.put("be").address("greeting").put("e8").relative("print")
    code.put("b9" + struct.pack("<H", sectors).hex())   # mov cx, sectors
    code.label("next").put("51")                        # push cx
    code.put("be").address("packet")                    # mov si, packet
    code.put("8a16").address("drive").put("b442 cd13")  # mov dl,[drive]; mov ah,42h; int 13h
    code.put("72").relative("failed", 1)                # jc failed
    code.put("be" + struct.pack("<H", BUFFER).hex())    # mov si, BUFFER
    code.put("b90002 8b1e").address("sum")              # mov cx,512; mov bx,[sum]
    code.label("add").put("ac 30e4 01c3 e2").relative("add", 1)  # lodsb; xor ah,ah; add bx,ax; loop
    code.put("891e").address("sum")                     # mov [sum], bx
    code.put("ff06").address("block")                   # inc word [block]
    code.put("59 e2").relative("next", 1)               # pop cx; loop next
    code.put("8b1e").address("sum").put("b90400")       # mov bx,[sum]; mov cx,4
    code.label("digit").put("c1c304 88d8 240f 0490 2714 4027")  # rol bx,4; al=bl&15; to ASCII
    code.put("e8").relative("send").put("e2").relative("digit", 1)
    code.put("be").address("done").put("e8").relative("print")
    code.label("stop").put("f4 eb").relative("stop", 1)  # hlt; jmp stop
    code.label("failed").put("be").address("error").put("e8").relative("print")
    code.put("eb").relative("stop", 1)
    code.label("print").put("ac 08c0 74").relative("printed", 1)  # lodsb; or al,al; jz
    code.put("e8").relative("send").put("eb").relative("print", 1)
    code.label("printed").put("c3")
    code.label("send").put("50 bafd03")                 # push ax; mov dx, COM1 line status
    code.label("busy").put("ec a820 74").relative("busy", 1)  # in al,dx; test al,20h; jz
    code.put("58 baf803 ee c3")                         # pop ax; mov dx,3f8h; out dx,al; ret
    code.label("greeting").raw(GREETING + b"\0")
    code.label("done").raw(b".\r\n\0")
    code.label("error").raw(b"READ ERROR\r\n\0")
    code.label("drive").raw(b"\0").label("sum").raw(b"\0\0")
    code.label("packet").raw(struct.pack("<BBHHH", 16, 0, 1, BUFFER, 0))
    code.label("block").raw(struct.pack("<Q", 1))
    return code.finish().ljust(446, b"\0") + _partition() + bytes(48) + b"\x55\xaa"


def _partition() -> bytes:
    """One active entry: some BIOSes start no disk without."""
    return struct.pack("<BBBBBBBBII", 0x80, 0, 2, 0, 0xDA, 0, 2, 0, 1, 1)


class _Code:
    """Bytes with labels that may be used before they are set."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._labels: dict[str, int] = {}
        self._uses: list[tuple[int, str, int, bool]] = []  # (place, label, width, relative)

    def put(self, hexadecimal: str) -> _Code:
        return self.raw(bytes.fromhex(hexadecimal))

    def raw(self, data: bytes) -> _Code:
        self._bytes += data
        return self

    def label(self, name: str) -> _Code:
        self._labels[name] = len(self._bytes)
        return self

    def address(self, name: str) -> _Code:
        self._uses.append((len(self._bytes), name, 2, False))
        return self.raw(bytes(2))

    def relative(self, name: str, width: int = 2) -> _Code:
        self._uses.append((len(self._bytes), name, width, True))
        return self.raw(bytes(width))

    def finish(self) -> bytes:
        for place, name, width, relative in self._uses:
            value = self._labels[name] + (-(place + width) if relative else ORIGIN)
            self._bytes[place:place + width] = value.to_bytes(width, "little", signed=relative)
        return bytes(self._bytes)

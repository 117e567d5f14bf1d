# SPDX-License-Identifier: Apache-2.0
"""The keys of a US keyboard: which key gives which character, and what evdev calls it.

Key codes: Linux, include/uapi/linux/input-event-codes.h. Names: QEMU's QKeyCode.
"""

from __future__ import annotations

from dataclasses import dataclass

KEY_LEFTSHIFT = 42
KEY_RIGHTSHIFT = 54


@dataclass(frozen=True)
class Key:
    """One key, with or without Shift."""

    code: int  # evdev
    qcode: str
    shift: bool


def _table() -> dict[str, Key]:
    # Rows of the keyboard: first evdev code, what it gives, what it gives with Shift.
    rows = [
        (2, "1234567890-=", "!@#$%^&*()_+"),
        (16, "qwertyuiop[]", "QWERTYUIOP{}"),
        (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
        (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    ]
    names = {"-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right",
             ";": "semicolon", "'": "apostrophe", "`": "grave_accent", "\\": "backslash",
             ",": "comma", ".": "dot", "/": "slash"}
    table = {" ": Key(57, "spc", False), "\n": Key(28, "ret", False), "\t": Key(15, "tab", False)}
    for first, plain, shifted in rows:
        for code, (low, high) in enumerate(zip(plain, shifted, strict=True), first):
            table[low] = Key(code, names.get(low, low), False)
            table[high] = Key(code, names.get(low, low), True)
    return table


US_KEYS = _table()
CHARACTERS = {(key.code, key.shift): character for character, key in US_KEYS.items()}

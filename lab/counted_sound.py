# SPDX-License-Identifier: Apache-2.0
"""Sound whose every frame says which one it is, so that one lost, repeated or altered shows.

Frames are 16-bit stereo, as in a WAV file. Frame n, from 1, holds n in both its samples together: the low half left, the
high half right. A frame of zeros is silence. Counting starts anew after `period` frames.
"""

from __future__ import annotations

import struct
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

RATE = 48000
FRAME_BYTES = 4
ENDLESS = (1 << 32) - 1  # a period that no test reaches the end of


@dataclass
class Run:
    """Frames one after the other as they were counted."""

    first: int
    frames: int


def frames(count: int, period: int = ENDLESS) -> bytes:
    """The first `count` frames."""
    return b"".join(struct.pack("<I", n % period + 1) for n in range(count))


def runs(pcm: bytes, period: int = ENDLESS) -> list[Run]:
    """What counted frames there are, without the silence. One run: nothing is lost, repeated, altered or put between."""
    found: list[Run] = []
    numbers = array("I")
    numbers.frombytes(pcm[:len(pcm) - len(pcm) % FRAME_BYTES])
    expected = 0
    for number in numbers:
        if number == 0:
            expected = 0
            continue
        if number != expected:
            found.append(Run(number, 0))
        found[-1].frames += 1
        expected = number % period + 1
    return found


def write_wav(path: Path, count: int) -> Path:
    """A WAV file with the first `count` frames."""
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, count, "NONE", "not compressed"))
        file.writeframes(frames(count))
    return path


def read_wav(path: Path) -> bytes:
    """All frames of a WAV file."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (2, 2, RATE):
            raise ValueError(f"{path} is no 16-bit stereo WAV file at {RATE} Hz: {file.getparams()}")
        return file.readframes(file.getnframes())

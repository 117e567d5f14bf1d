# SPDX-License-Identifier: Apache-2.0
"""Counted sound, played and recorded by a guest with ALSA's own programs.

A guest that has no time for its own sound (an xrun) loses frames by itself. It says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab import counted_sound
from lab.counted_sound import RATE, Run
from lab.guest import Guest

PERIOD = RATE  # what is played is a second of counted sound again and again
# Two seconds are a long time for a card, but short for a guest whose processor is emulated; and Linux ends a recording
# after about a buffer without a frame.
_FORMAT = "-D card -t raw -f S16_LE -r 48000 -c 2 --buffer-time=2000000 --period-time=50000"
_ALSA = "ALSA_CONFIG_PATH=/tmp/asound.conf"


@dataclass
class Heard:
    """What arrived of counted sound."""

    runs: list[Run]
    xruns: int  # of the guest's own

    @property
    def frames(self) -> int:
        """All but silence."""
        return sum(run.frames for run in self.runs)


class GuestSound:
    """The first sound card of a guest with `initramfs.SOUND`; waits for it."""

    def __init__(self, guest: Guest, seconds: int, timeout: float = 20.0) -> None:
        """`seconds` is how long it plays and records."""
        self._guest = guest
        self.seconds = seconds
        guest.until("[ -e /dev/snd/controlC0 ]", timeout)
        guest.check("echo 'pcm.card { type hw card 0 }' >/tmp/asound.conf")

    def start_playing(self) -> None:
        """Begins to play `seconds` seconds of counted sound."""
        self._guest.write_file("/tmp/second", counted_sound.frames(PERIOD, PERIOD))
        # Silence at both ends: what starts and stops a stream may cost some of that.
        self._guest.check(f"""
            ( (head -c {RATE} /dev/zero
               i=0; while [ $i -lt {self.seconds} ]; do cat /tmp/second; i=$((i+1)); done
               head -c {2 * RATE} /dev/zero) | {_ALSA} aplay {_FORMAT} 2>/tmp/play.said; echo $? >/tmp/play.status) &""")

    def start_recording(self) -> None:
        """Begins to record."""
        self._guest.check(f"({_ALSA} arecord {_FORMAT} -d {self.seconds} /tmp/recorded 2>/tmp/record.said; "
                          "echo $? >/tmp/record.status) &")

    def finish_playing(self) -> None:
        """Waits for the end."""
        self._finish("play")

    def finish_recording(self) -> None:
        """Waits for the end."""
        self._finish("record")

    def played(self, pcm: bytes) -> Heard:
        """What arrived where it plays to."""
        return self._heard("play", counted_sound.runs(pcm, PERIOD))

    def recorded(self) -> Heard:
        """What it recorded. Silence of the guest's own may come before the first frame, while its stream starts."""
        return self._heard("record", counted_sound.runs(self._guest.read_file("/tmp/recorded", 120)))

    def _finish(self, what: str) -> None:
        status = self._guest.until(f"cat /tmp/{what}.status", self.seconds + 60)
        assert status == "0", self._guest.check(f"cat /tmp/{what}.said")

    def _heard(self, what: str, runs: list[Run]) -> Heard:
        heard = Heard(runs, int(self._guest.check(f"grep -c 'run!!!' /tmp/{what}.said || true")))
        print(f"{what}: {heard.frames} frames in {len(runs)} runs, {heard.xruns} xruns of the guest's own", flush=True)
        return heard

# SPDX-License-Identifier: Apache-2.0
"""Sound through Linux's snd_usb_audio: every frame counted, in both directions.

A guest that has no time for its own sound (an xrun) loses frames by itself. It says so; each time may break the sound
once, and a test that saw none demands that the sound is whole.
"""

from lab import counted_sound, initramfs, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.counted_sound import RATE
from lab.guest import Guest
from lab.hardware import UsbHardware

PERIOD = RATE  # the guest plays a second of counted sound again and again
# Half a second is a long time for a card, but short for a guest whose processor is emulated.
ALSA = "ALSA_CONFIG_PATH=/tmp/asound.conf"
FORMAT = "-D card -t raw -f S16_LE -r 48000 -c 2 --buffer-time=500000 --period-time=50000"


class Sound(GuestCase):
    """A sound card that plays into a WAV file and records from one."""

    def setUp(self) -> None:
        super().setUp()
        self.seconds = count(5, 60)
        self.played = self.scratch / "played.wav"
        self.source = self.scratch / "source.wav"

    @essential
    def test_a_full_speed_card_plays_and_records_at_once(self) -> None:
        self._play_and_record("full")

    @essential
    def test_a_high_speed_card_plays_and_records_at_once(self) -> None:
        self._play_and_record("high")

    def test_a_full_speed_card_plays(self) -> None:
        hardware = self.hardware()
        hardware.attach_sound("card", playback=self.played)
        guest = self._boot_with_card(hardware)
        self._start_playing(guest)
        self._end_of("play", guest)
        hardware.detach("card")  # ends the WAV file
        self._check_played(guest)

    def _play_and_record(self, speed: str) -> None:
        counted_sound.write_wav(self.source, (self.seconds + 10) * RATE)
        hardware = self.hardware()
        hardware.attach_sound("card", playback=self.played, capture=self.source, speed=speed)
        guest = self._boot_with_card(hardware)
        shown = usb_view.sound_card(guest)
        self.assertEqual(usb_view.speed(guest, shown), {"full": "12", "high": "480"}[speed])
        self._start_playing(guest)
        self._start_recording(guest)
        self._end_of("play", guest)
        self._end_of("record", guest)
        hardware.detach("card")
        self._check_recorded(guest)
        self._check_played(guest)
        self.assert_healthy(guest)

    def _boot_with_card(self, hardware: UsbHardware) -> Guest:
        guest = self.boot(hardware, initramfs.SOUND)
        guest.until("[ -e /dev/snd/controlC0 ]")
        guest.check("echo 'pcm.card { type hw card 0 }' >/tmp/asound.conf")
        return guest

    def _start_playing(self, guest: Guest) -> None:
        guest.write_file("/tmp/second", counted_sound.frames(PERIOD, PERIOD))
        # Silence at both ends: what starts and stops a stream may cost some of that.
        guest.check(f"""
            ( (head -c {RATE} /dev/zero
               i=0; while [ $i -lt {self.seconds} ]; do cat /tmp/second; i=$((i+1)); done
               head -c {2 * RATE} /dev/zero) | {ALSA} aplay {FORMAT} 2>/tmp/play.said; echo $? >/tmp/play.status) &""")

    def _start_recording(self, guest: Guest) -> None:
        guest.check(f"({ALSA} arecord {FORMAT} -d {self.seconds} /tmp/recorded 2>/tmp/record.said; "
                    "echo $? >/tmp/record.status) &")

    def _end_of(self, what: str, guest: Guest) -> None:
        status = guest.until(f"cat /tmp/{what}.status", self.seconds + 60)
        self.assertEqual(status, "0", guest.check(f"cat /tmp/{what}.said"))

    def _check_played(self, guest: Guest) -> None:
        self._check("play", guest, counted_sound.runs(counted_sound.read_wav(self.played), PERIOD), self.seconds * RATE)

    def _check_recorded(self, guest: Guest) -> None:
        # Silence of the guest's own may come before the first frame, while its stream starts.
        self._check("record", guest, counted_sound.runs(guest.read_file("/tmp/recorded", 120)),
                    (self.seconds * 2 - 1) * RATE // 2)

    def _check(self, what: str, guest: Guest, runs: list[counted_sound.Run], least: int) -> None:
        xruns = int(guest.check(f"grep -c 'run!!!' /tmp/{what}.said || true"))
        frames = sum(run.frames for run in runs)
        print(f"{what}: {frames} frames in {len(runs)} runs, {xruns} xruns of the guest's own", flush=True)
        self.assertLessEqual(len(runs), 1 + xruns, f"{what}: {runs[:5]}")
        self.assertLessEqual(frames, self.seconds * RATE, what)
        if not xruns:
            self.assertGreaterEqual(frames, least, what)


class SoundOnEhci(Sound, controller=EHCI):
    """High speed through isochronous transfer descriptors, full speed through a companion."""


class SoundOnUhci(Sound, controller=UHCI):
    """Full speed only."""

    test_a_high_speed_card_plays_and_records_at_once = None

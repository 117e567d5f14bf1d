# SPDX-License-Identifier: Apache-2.0
"""Sound through Linux's snd_usb_audio: every frame counted, in both directions.

Each xrun of the guest's own may break the sound once; a test that saw none demands that the sound is whole.
"""

from lab import counted_sound, initramfs, usb_view
from lab.case import GuestCase, count, essential
from lab.controller import EHCI, UHCI
from lab.counted_sound import RATE
from lab.guest_sound import GuestSound, Heard


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
        sound = GuestSound(self.boot(hardware, initramfs.SOUND), self.seconds)
        sound.start_playing()
        sound.finish_playing()
        hardware.detach("card")  # ends the WAV file
        self._check_played(sound)

    def _play_and_record(self, speed: str) -> None:
        counted_sound.write_wav(self.source, (self.seconds + 10) * RATE)
        hardware = self.hardware()
        hardware.attach_sound("card", playback=self.played, capture=self.source, speed=speed)
        guest = self.boot(hardware, initramfs.SOUND)
        sound = GuestSound(guest, self.seconds)
        shown = usb_view.sound_card(guest)
        self.assertEqual(usb_view.speed(guest, shown), {"full": "12", "high": "480"}[speed])
        sound.start_playing()
        sound.start_recording()
        sound.finish_playing()
        sound.finish_recording()
        hardware.detach("card")
        self._check(sound.recorded(), (self.seconds * 2 - 1) * RATE // 2)
        self._check_played(sound)
        self.assert_healthy(guest)

    def _check_played(self, sound: GuestSound) -> None:
        self._check(sound.played(counted_sound.read_wav(self.played)), self.seconds * RATE)

    def _check(self, heard: Heard, least: int) -> None:
        self.assertLessEqual(len(heard.runs), 1 + heard.xruns, heard.runs[:5])
        self.assertLessEqual(heard.frames, self.seconds * RATE)
        if not heard.xruns:
            self.assertGreaterEqual(heard.frames, least)


class SoundOnEhci(Sound, controller=EHCI):
    """High speed through isochronous transfer descriptors, full speed through a companion."""


class SoundOnUhci(Sound, controller=UHCI):
    """Full speed only."""

    test_a_high_speed_card_plays_and_records_at_once = None

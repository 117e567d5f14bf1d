# SPDX-License-Identifier: Apache-2.0
"""Sound at a seat: every frame counted, from the machine to a card at the seat and from a microphone there.

Sound is not sent again, and does not wait. What a network, or a computer without time, takes from it is counted by both
ends of the attachment, and each of these and each xrun of the guest's own may break it; nothing else may.
"""

import re

from lab import counted_sound, initramfs
from lab.case import count, essential
from lab.controller import EHCI, UHCI, XHCI
from lab.counted_sound import RATE
from lab.guest import Guest
from lab.guest_sound import GuestSound, Heard
from lab.periplex_hardware import PeriplexHardware
from lab.seat_case import Seat, SeatCase

WAV_HEADER = 44  # bytes


class SeatSound(SeatCase):
    """A machine with a sound card that is at a seat."""

    def setUp(self) -> None:
        super().setUp()
        self.seconds = count(5, 60)
        self.file = self.scratch / "played.wav"

    @essential
    def test_qemus_card_plays_what_the_machine_plays(self) -> None:
        # No longer: after some seconds QEMU's card throws away what its back end has not taken. All packets had been
        # given to it when that was looked into.
        self.seconds = 5
        # Without QEMU's mixer samples stay what they are. A second of room: this computer has other things to do.
        seat = self.seat("-audiodev", f"wav,id=wav,path={self.file},out.mixing-engine=off",
                         "-device", f"usb-audio,id=card,audiodev=wav,bus=xhci.0,buffer={4 * RATE}")
        guest, sound = self._machine(seat, "QEMU USB Audio")
        sound.start_playing()
        sound.finish_playing()
        lost = self._breaks(seat, "out")
        self.assert_never_unplugged(guest)
        self.machine.detach("card")
        seat.guest.qmp.execute("quit")
        seat.guest.wait_ended()
        # QEMU leaves the lengths in the header open.
        self._check(sound.played(self.file.read_bytes()[WAV_HEADER:]), lost, self.seconds * RATE)

    def test_a_card_with_a_microphone_plays_and_records_at_once(self) -> None:
        # Gadgets on dummy_hcd have no isochronous transfers, and QEMU's card does not record: the card is our own,
        # behind an xHCI of the workstation.
        source = counted_sound.write_wav(self.scratch / "source.wav", (self.seconds + 60) * RATE)
        studio = self.enterContext(PeriplexHardware("studio", XHCI))
        studio.attach_sound("card", playback=self.file, capture=source)
        seat = self.seat(*studio.arguments())
        guest, sound = self._machine(seat, "USB Sound")
        sound.start_playing()
        sound.start_recording()
        sound.finish_playing()
        sound.finish_recording()
        lost_out, lost_in = self._breaks(seat, "out"), self._breaks(seat, "in")
        self.assert_never_unplugged(guest)
        self.machine.detach("card")
        studio.detach("card")
        self._check(sound.recorded(), lost_in, (self.seconds * 2 - 1) * RATE // 2)
        self._check(sound.played(counted_sound.read_wav(self.file)), lost_out, self.seconds * RATE)

    def _machine(self, seat: Seat, card: str) -> tuple[Guest, GuestSound]:
        guest = self.boot(self.machine, initramfs.SOUND)
        self.attach(seat, card, "card")
        return guest, GuestSound(guest, self.seconds, 60)

    def _breaks(self, seat: Seat, direction: str) -> int:
        """How often, as both ends say, something of the sound was lost."""
        here = self.machine.session("card")
        status = seat.guest.check("periplex-seat status")
        found = re.search(rf"isochronous {direction}: (\d+) packets, (\d+) dropped(?:, dry (\d+) times)?", status)
        self.assertIsNotNone(found, status)
        assert found is not None
        there = [int(number or 0) for number in found.groups()]
        print(f"{direction}: at the seat {there}, here {here}", flush=True)
        self.assertGreater(there[0], self.seconds * 900, "packets of a millisecond")
        return there[1] + there[2] + here[f"packets_{direction}_dropped"] + \
            (here["under_runs"] if direction == "in" else 0)

    def _check(self, heard: Heard, lost: int, least: int) -> None:
        self.assertLessEqual(len(heard.runs), 1 + heard.xruns + lost, heard.runs[:5])
        if not heard.xruns and not lost:
            self.assertGreaterEqual(heard.frames, least)


class SeatSoundOnEhci(SeatSound, controller=EHCI):
    """A full-speed card on a companion."""


class SeatSoundOnUhci(SeatSound, controller=UHCI):
    """A full-speed card."""
